"""What operators see: probes, metrics, logs."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app import background, database, logs
from app.monitoring import Report
from app.refusals import RefusesToStart
from app.settings import Settings, settings
from tests.servers import ROOT


def test_ready_names_what_is_degraded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def report() -> Report:
        return Report(degraded=["broker"])

    monkeypatch.setattr(background, "report", report)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "degraded": ["broker"]})


def test_without_its_database_it_is_alive_but_not_ready(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(database, "engine", unreachable)
    assert client.get("/health/live").json() == {"status": "ok", "degraded": []}
    answer = client.get("/health/ready")
    down = {"status": "database down", "degraded": ["database"]}
    assert (answer.status_code, answer.json()) == (503, down)


def test_production_logs_a_line_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.configure()
    extra = {"task": "shop.sell", "color_message": "sold \x1b[36m%d"}
    logging.getLogger("shop").warning("sold %d", 7, extra=extra)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time")
    assert line == {"level": "WARNING", "logger": "shop", "message": "sold 7", "task": "shop.sell"}


def test_metrics_of_servers_that_live_no_more_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f"metrics-{os.getuid()}-{gone.pid}"
    ours = tmp_path / f"metrics-{os.getuid()}-{os.getpid()}"
    for folder in (left, ours):
        folder.mkdir()
    env = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    env["TMPDIR"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", "import app.monitoring"], cwd=ROOT, env=env, check=True)
    assert not left.exists()
    assert ours.exists()


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("postgres://ada:secret@db/shop", "postgresql+psycopg://ada:secret@db/shop"),
        ("postgresql://db/shop", "postgresql+psycopg://db/shop"),
        ("sqlite:///var/app.db", "sqlite:///var/app.db"),
    ],
)
def test_databases_that_are_supported(given: str, taken: str) -> None:
    assert Settings(database_url=given).database_url == taken


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ada:secret@db/shop",
        "sqlite://",
        "secret",
        "postgres://db",
        "postgres://ada:secret/shop",
    ],
)
def test_others_are_refused_and_their_passwords_not_shown(url: str) -> None:
    with pytest.raises(ValidationError, match="is not sqlite:///FILE or postgresql") as refusal:
        Settings(database_url=url)
    assert "ada" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    ["", "smtp://localhost", "smtps://ada:se%23cret@mail.example.com:465", "smtp://[::1]:25/"],
)
def test_where_mail_may_go(url: str) -> None:
    assert Settings(smtp_url=url).smtp_url == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mail.example.com", "it"),
        ("mail.example.com:587", "mail.example.com:..."),
        ("smtp:mail.example.com", "smtp:..."),
        ("smtp:///mail.example.com", "smtp:..."),
        ("smtp://ada@:25", "smtp:..."),
        ("smtp://mail.example.com:70000", "smtp:..."),
        ("smtp://ada:se#cret@mail.example.com", "smtp:..."),
        ("https://mail.example.com", "https:..."),
    ],
)
def test_mail_without_a_server_does_not_leave_through_that_of_localhost(
    url: str, told: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings(smtp_url=url)
    [error] = refusal.value.errors()
    assert error["msg"] == f"Value error, {told} is not smtp://HOST:PORT or smtps://HOST:PORT"


@pytest.mark.parametrize(
    ("database_url", "shown", "reason"),
    [
        (
            "postgresql+psycopg://ada:secret@127.0.0.1:1/shop?password=secret",
            "postgresql+psycopg://ada:***@127.0.0.1:1/shop",
            (
                "(psycopg.OperationalError) connection failed: connection to server at"
                ' "127.0.0.1", port 1 failed: Connection refused'
            ),
        ),
        (
            "sqlite:///folder",
            "sqlite:///folder",
            "(sqlite3.OperationalError) unable to open database file",
        ),
        (
            "sqlite:///text",
            "sqlite:///text",
            "(sqlite3.DatabaseError) file is not a database",
        ),
        ("sqlite:///text/app.db", "sqlite:///text/app.db", "[Errno 17] File exists: 'text'"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(
    database_url: str, shown: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("text").write_text("This is no database.")
    monkeypatch.setattr(settings, "database_url", database_url)
    monkeypatch.setattr(database, "sync_engine", database.sync_engine.__wrapped__)
    with pytest.raises(RefusesToStart) as refusal:
        database.prepare_sync()
    other = "let this user write there" if "sqlite" in shown else "start it"
    told = f"The database {shown} cannot be used: {reason}. Correct DATABASE_URL, or {other}."
    assert str(refusal.value) == told


def test_a_dotenv_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SMTP_URL=\nACTION_LOG=caf\xe9.log\n")
    done = subprocess.run(
        [sys.executable, "-c", "import app.settings"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = ".env is not UTF-8, in line 2. Save it as UTF-8."
    assert (done.returncode, done.stderr) == (1, f"app.refusals.RefusesToStart: {told}\n")


def test_what_keeps_it_from_starting_is_told_without_a_traceback() -> None:
    refusing = "from app.refusals import *\nwith told_briefly(): raise RefusesToStart('Run: x')"
    done = subprocess.run(
        [sys.executable, "-c", refusing], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "app.refusals.RefusesToStart: Run: x\n")

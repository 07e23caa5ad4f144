"""What operators see: probes, metrics, logs."""

import json
import logging
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient

from app import background, database, logs
from app.monitoring import Report
from app.settings import settings
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


def test_what_keeps_it_from_starting_is_told_without_a_traceback() -> None:
    refusing = "from app import logs\nwith logs.told_briefly(): raise logs.RefusesToStart('Run: x')"
    done = subprocess.run(
        [sys.executable, "-c", refusing], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "app.logs.RefusesToStart: Run: x\n")

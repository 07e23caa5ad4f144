"""The command line and `dev`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from afterward import cli, dev
from tests.helpers import ROOT
from tests.runtime.helpers import TIMEOUT, wait_for

BACKGROUND = """
from afterward import Background
from afterward.backends.{module} import {name}
background = Background({name}({arguments}){database})
"""
CELERY = {
    "module": "celery_",
    "name": "Celery",
    "arguments": "",
    "database": ", sync_engine=lambda: None",
}
SIMPLE = {"module": "simple", "name": "Simple", "arguments": "", "database": ""}


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test import a module `chosen` of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("chosen", None)


@pytest.mark.parametrize(
    ("command", "celery"),
    [
        (
            ["worker", "-c", "2"],
            ["--app", "chosen", "worker", "--loglevel", "INFO", "-c", "2"],
        ),
        (["beat"], ["--app", "chosen", "--quiet", "beat", "--loglevel", "INFO"]),
    ],
)
def test_worker_and_beat_become_celery(
    command: list[str],
    celery: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "chosen.py").write_text(BACKGROUND.format(**CELERY))
    executed: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, argv: executed.append(argv))
    cli.main(["--app", "chosen", *command])
    assert executed == [[sys.executable, "-m", "celery", *celery]]


def test_a_pattern_without_workers_names_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chosen.py").write_text(BACKGROUND.format(**SIMPLE))
    assert cli.main(["--app", "chosen", "worker"]) == 1
    assert capsys.readouterr().err == (
        "Error: Pattern 'simple' runs its tasks in the web process, and has no workers."
        " Run: uv run poe dev\n"
    )


def test_a_module_without_a_background_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chosen.py").touch()
    assert cli.main(["--app", "chosen", "migration"]) == 1
    message = "Error: chosen has no `background = Background(...)`.\n"
    assert capsys.readouterr().err == message


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("    ")]
    assert set(cli.COMMANDS) <= set(listed)


def test_a_missing_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2


def test_dev_starts_the_processes_that_pyproject_declares() -> None:
    Path("pyproject.toml").write_text(
        '[tool.poe.tasks]\napi.cmd = "uvicorn app.main:app"\n'
        'beat.cmd = "celery beat"\nother.cmd = "python -m other"\n'
    )
    commands = {"api": "uvicorn app.main:app", "beat": "celery beat"}
    assert dev.read_commands(Path()) == commands


@pytest.fixture
def development(tmp_path: Path) -> Path:
    """Return a project whose processes are two scripts."""
    (tmp_path / "app").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poe.tasks]\napi.cmd = "python -m api"\nworker.cmd = "python -m work"\n'
    )
    (tmp_path / "work.py").write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('drained'), exit(0)))\n"
        "print('ready', flush=True)\nwhile True: time.sleep(0.01)\n"
    )
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    """Start `dev`."""
    path = f"{ROOT / 'template'}{os.pathsep}{folder}"
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "afterward", "dev"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def test_when_a_process_ends_dev_stops_the_others(development: Path) -> None:
    (development / "api.py").write_text("print('serving')\nraise SystemExit(3)\n")
    process = start(development)
    assert process.wait(TIMEOUT) == 1
    lines = (development / "log").read_text().splitlines()
    assert "   api | serving" in lines
    assert lines[-1] == "api ended with exit code 3; the others were stopped."


def test_ctrl_c_lets_the_processes_finish_and_a_change_restarts_them(
    development: Path,
) -> None:
    (development / "api.py").write_text((development / "work.py").read_text())
    process = start(development)

    def count(line: str) -> int:
        return (development / "log").read_text().count(line)

    wait_for(lambda: count("| ready") == 2, "both processes")

    def is_restarted() -> bool:
        (development / "app" / "new.py").write_text(os.urandom(4).hex())
        return count("app/ has changed: restarting") > 0

    wait_for(is_restarted, "the restart")  # the watch may have started late
    wait_for(lambda: count("| ready") >= 4, "both processes again")
    process.send_signal(signal.SIGINT)
    assert process.wait(TIMEOUT) == 0
    assert count("| drained") >= 4

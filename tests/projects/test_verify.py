"""`bgscaffold verify` on every pattern, database and broker, and what it leaves alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.verify.command import VerifyOptions, VerifyReport, verify
from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects import services
from tests.projects.environments import Environment
from tests.projects.services import Service

Start = Callable[[str], str]
EVERY_PATTERN = {"attempts", "enqueuing", "responses", "startup", "transactions"}
STARTS = {
    "redis": services.redis,
    "rabbitmq": services.rabbitmq,
    "postgresql": services.postgres,
}
SECRET = "REQUIRED_SECRET"
NIGHTLY = """\
from pathlib import Path
from afterward import task

@task("nightly.run", cron="* * * * * *")
def run() -> None:
    Path({path!r}).touch()
"""


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], Service]]:
    """Return how a test gets a server, which all tests of this process share."""
    started: dict[str, Service] = {}
    with ExitStack() as stack:

        def start(name: str) -> Service:
            if name not in started:
                started[name] = stack.enter_context(STARTS[name]())
            return started[name]

        yield start


@pytest.fixture
def installed(tmp_path: Path, bare: Environment) -> Callable[..., Path]:
    """Return how a test gets a project with an environment of its own."""

    def install(pattern: str, **features: bool) -> Path:
        project = helpers.render(pattern, "none", tmp_path / "shop", **features)
        bare.uv(project, "sync", "--no-dev")
        return project

    return install


@pytest.mark.parametrize(
    ("pattern", "database", "broker"),
    [
        ("simple", "sqlite", ""),
        ("async", "sqlite", ""),
        ("async", "postgresql", ""),
        ("celery", "postgresql", "embedded"),
        ("celery", "sqlite", "redis"),
        ("celery", "postgresql", "redis"),
        ("celery", "sqlite", "rabbitmq"),
        ("celery", "postgresql", "rabbitmq"),
    ],
)
def test_the_contract_holds(
    pattern: str,
    database: str,
    broker: str,
    installed: Callable[..., Path],
    servers: Callable[[str], Service],
) -> None:
    project = installed(pattern)
    used = [servers(name) for name in (database, broker) if name in STARTS]
    options = VerifyOptions(
        database=servers(database).url if database in STARTS else "",
        broker=servers(broker).url if broker in STARTS else "",
    )
    assert_kept(verify(str(project), options))
    for service in used:
        service.assert_used()


def test_scheduled_tasks_of_the_user_do_not_run(
    installed: Callable[..., Path],
    servers: Callable[[str], Service],
    tmp_path: Path,
) -> None:
    project = installed("safe", schedule=True)
    witness = tmp_path / "has run"
    domain = project / "app" / "nightly"
    domain.mkdir()
    (domain / "__init__.py").touch()
    (domain / "tasks.py").write_text(NIGHTLY.format(path=str(witness)))
    report = verify(str(project), VerifyOptions(database=servers("postgresql").url))
    assert_kept(report, "schedule")
    assert not witness.exists()


def test_faults_lose_nothing(installed: Callable[..., Path]) -> None:
    options = VerifyOptions(faults=True, quick=True, seed=31)
    report = verify(str(installed("safe")), options)
    assert_kept(report)
    assert report.seed == 31
    assert [fault.left_out for fault in report.faults] == [""] * 3
    assert min(fault.accepted for fault in report.faults) > 0


class Trap:
    """A listening socket that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _address = self._socket.accept()
            self.connections += 1
            connection.close()


def test_neither_the_users_database_nor_the_users_broker_is_used(
    installed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = installed("celery")
    trap, database = Trap(), project / "var" / "app.db"
    database.parent.mkdir()
    database.write_bytes(b"the user's data")
    (project / ".env").write_text(
        f"DATABASE_URL=sqlite:///{database}\n"
        f"BROKER_URL=amqp://guest:guest@127.0.0.1:{trap.port}//\n"
    )
    address = f"127.0.0.1:{trap.port}"
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ada@{address}/shop")
    monkeypatch.setenv("BROKER_URL", f"redis://{address}/0")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    before = helpers.tree(project / "app") | helpers.tree(project / "var")
    options = VerifyOptions(faults=True, quick=True, seed=31)
    report = verify(str(project), options)
    assert_kept(report)
    assert trap.connections == 0
    assert helpers.tree(project / "app") | helpers.tree(project / "var") == before
    socket.create_connection(("127.0.0.1", trap.port)).close()
    until(lambda: trap.connections == 1, lambda: "the trap")  # it would have counted


def test_a_project_gets_the_settings_that_it_requires(
    installed: Callable[..., Path],
    servers: Callable[[str], Service],
    tmp_path: Path,
) -> None:
    project = installed("simple")
    settings = project / "app" / "settings.py"
    field = f"    {SECRET.lower()}: str\n    action_log"
    settings.write_text(settings.read_text().replace("    action_log", field))
    given = tmp_path / "settings.env"
    given.write_text(f"{SECRET}=1\nDATABASE_URL=sqlite:////nowhere/app.db\n")
    url = servers("postgresql").url
    command = [sys.executable, "-m", "bgscaffold", "verify", str(project)]
    without = subprocess.run(
        [*command, "--database", url], capture_output=True, text=True, check=False
    )
    assert without.returncode == 1, without.stderr
    assert without.stdout.endswith("\n\nA promise is broken.\n")
    assert f"E   {SECRET.lower()}\nE     Field required" in without.stdout
    assert_kept(verify(str(project), VerifyOptions(database=url, env_file=str(given))))


def test_an_interruption_ends_all_processes(
    installed: Callable[..., Path], tmp_path: Path
) -> None:
    project = installed("simple")
    folder = tmp_path / "tmp"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "bgscaffold", "verify", str(project)],
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: running_in(folder, "uvicorn"), lambda: "the API")
    process.send_signal(signal.SIGINT)
    _out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in error
    assert running_in(folder) == []
    assert list(folder.iterdir()) == []


def running_in(folder: Path, program: str = "") -> list[str]:
    """Return the command lines of processes that run a program in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_inside = (process / "cwd").resolve().is_relative_to(folder)
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
        if is_inside and program in line:
            found.append(line)
    return found


def assert_kept(report: VerifyReport, *more: str) -> None:
    """Show that the suites of a pattern have run, and that nothing has failed."""
    failures: list[Any] = [text for suite in report.suites for text in suite.failures]
    failures += [fault for fault in report.faults if fault.failed]
    assert failures == []
    assert report.passed
    expected = {*EVERY_PATTERN, "shutdown", *more}
    record = RECORDS[Pattern(report.pattern)]
    if record.durable:
        expected |= {"crashes", "task runs"}
    if "queue" in record.supports:
        expected.add("workers")
    assert {suite.suite for suite in report.suites} == expected
    assert min(suite.passed for suite in report.suites) > 0

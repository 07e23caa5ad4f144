"""A pytest plugin: `pytest_plugins = ["afterward.testing"]` in `tests/conftest.py`.

Four ways to test a task:

1. Call it: a task is a plain function.
2. `enqueued` records what routes enqueue. Nothing runs.
3. `run_enqueued()` runs what was recorded, now, in the test's process.
4. `server` starts the project's real processes.

Tests never see your own settings: `.env` is not read, and the variables that the ini
option `afterward_env` lists replace those of the shell.
"""

import asyncio
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from afterward.backends.in_process import InProcess
from afterward.testing.database import TestDatabase
from afterward.testing.server import Server, wait_for

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from afterward.backend import Backend
    from afterward.background import Background
    from afterward.tasks import TaskRun

__all__ = ["Enqueued", "EnqueuedCall", "Server", "wait_for"]

_FOLDER = pytest.StashKey[Path]()
_DATABASE = pytest.StashKey[TestDatabase]()


class EnqueuedCall(NamedTuple):
    """A recorded call of a task."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]


Enqueued = list[EnqueuedCall]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini options."""
    parser.addini(
        "afterward_app", "MODULE:NAME of the FastAPI app", default="app.main:app"
    )
    parser.addini(
        "afterward_background",
        "MODULE:NAME of the Background",
        default="app.background:background",
    )
    parser.addini("afterward_env", "NAME=VALUE of tests", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before the tests import the application."""
    folder = Path(tempfile.mkdtemp(prefix="test-"))
    database = TestDatabase(folder)
    config.stash[_FOLDER] = folder
    config.stash[_DATABASE] = database
    os.environ |= {
        "ENV_FILE": "",
        "ENVIRONMENT": "development",
        "DATABASE_URL": database.url,
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    for line in config.getini("afterward_env"):
        name, _, value = line.partition("=")
        os.environ[name] = value


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the tests wrote."""
    shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def work_in_temporary_folder(pytestconfig: pytest.Config) -> Iterator[None]:
    """Let the code under test write its relative paths, such as var/, elsewhere."""
    before = Path.cwd()
    os.chdir(pytestconfig.stash[_FOLDER])
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def background(pytestconfig: pytest.Config) -> "Background":
    """Return the application's `Background`."""
    loaded: Background = _load(pytestconfig.getini("afterward_background"))
    return loaded


@pytest.fixture(scope="session")
def migrated(pytestconfig: pytest.Config, background: "Background") -> Iterator[None]:
    """Create the database of the tests that run in this process."""
    database = pytestconfig.stash[_DATABASE]
    database.create(pytestconfig.rootpath)
    background.prepare()
    yield
    database.drop()


@pytest.fixture(scope="session")
def client(pytestconfig: pytest.Config, migrated: None) -> "TestClient":
    """Return a client of the application. To see tasks run, use `server`."""
    from fastapi.testclient import TestClient

    return TestClient(_load(pytestconfig.getini("afterward_app")))


@pytest.fixture
def recorder(background: "Background") -> "Iterator[RecordingBackend]":
    """Record task runs instead of running them."""
    backend = background.backend
    recorder = RecordingBackend(backend)
    background.backend = recorder
    yield recorder
    background.backend = backend


@pytest.fixture
def enqueued(recorder: "RecordingBackend") -> Enqueued:
    """Return what was enqueued, as a list of (task name, args, kwargs)."""
    return recorder.calls


@pytest.fixture
def run_enqueued(recorder: "RecordingBackend") -> Callable[[], list[Any]]:
    """Return a function that runs what was enqueued, and what that enqueues.

    It returns the results in order, and raises what a task raises. It works in `def` and
    in `async def` tests, because it uses a thread of its own.
    """

    def run() -> list[Any]:
        results = []
        with ThreadPoolExecutor(max_workers=1) as thread:
            while recorder.runs:
                results.append(thread.submit(_call, recorder.runs.pop(0)).result())
        return results

    return run


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """Return the project's real processes, ready to serve."""
    folder = pytestconfig.stash[_FOLDER] / "server"
    running = Server(pytestconfig.rootpath, folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


class RecordingBackend(InProcess):
    """A backend that records task runs. It supports what the real one does."""

    def __init__(self, real: "Backend") -> None:
        super().__init__()
        self.name = real.name
        self.supports = real.supports
        self.runs: list[TaskRun] = []
        self.calls: Enqueued = []

    def start(self, runs: "list[TaskRun]") -> None:
        """Record task runs."""
        self.runs += runs
        self.calls += (
            EnqueuedCall(task=run.task.name, args=run.args, kwargs=run.kwargs)
            for run in runs
        )

    async def start_after_response(self, runs: "list[TaskRun]") -> None:
        """Record the task runs of a request."""
        self.start(runs)


def _call(run: "TaskRun") -> Any:
    if run.task.is_async:
        return asyncio.run(run.task.func(*run.args, **run.kwargs))
    return run.task.func(*run.args, **run.kwargs)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)

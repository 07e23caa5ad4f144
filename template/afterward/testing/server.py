"""The real processes of a project, as `uv run poe dev` starts them, for tests."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from afterward.dev import read_commands
from afterward.testing.database import TestDatabase

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 30.0  # seconds; only a failing test waits that long
PROCESSES = ("api", "worker")
FAST = {
    "TASK_BACKOFF": "0.01",
    "TASK_SWEEP": "0.05",
    "TASK_RETRIES": "1",
    "TASK_LEASE": "1.5",
    "SHUTDOWN_GRACE": "1",
}
ENDED = ("succeeded", "dead", "cancelled")


def wait_for(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Return the first true value of a condition.

    Raises:
        AssertionError: The condition was not true within `timeout` seconds.
    """
    started = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - started
        if waited > timeout:
            raise AssertionError(f"waited {timeout} s for: {what}")
        time.sleep(min(0.01 + waited / 10, 0.1))
    return value


class Server:
    """The project's processes, with a database and a queue of their own.

    They run in a folder of their own, so `.env` and var/ of the project are not used.
    """

    def __init__(self, project: Path, folder: Path) -> None:
        self.project = project
        self.folder = folder
        self.url = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = read_commands(project)
        folder.mkdir(parents=True)
        self._database = TestDatabase(folder)
        self._environment = os.environ | {
            "DATABASE_URL": self._database.url,
            "TASK_QUEUE": f"test-{uuid4().hex}",
            "BROKER_URL": os.environ.get("TEST_BROKER_URL", ""),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "PYTHONPATH": f"{project}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "UVICORN_PORT": "0",
            **FAST,
        }

    def start(self) -> None:
        """Start the processes, and wait until the API answers."""
        self._database.create(self.project)
        for name in PROCESSES:
            if name in self._commands:
                self.start_process(name)
        port = wait_for(self._served_port, "the API")
        self.url = f"http://127.0.0.1:{port}"

    def start_process(self, name: str, **environment: str) -> None:
        """Start one process of the project, such as beat, with these variables."""
        command = self._commands[name]
        self._processes[name] = self._spawn(name, command, environment)

    def stop(self) -> None:
        """End all processes, and drop the database."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT)
        self._client.close()
        if self._processes:
            self._database.drop()

    def get(self, path: str, **options: Any) -> "httpx2.Response":
        """Send a GET request."""
        return self._client.get(self.url + path, **options)

    def post(self, path: str, **options: Any) -> "httpx2.Response":
        """Send a POST request."""
        return self._client.post(self.url + path, **options)

    def put(self, path: str, **options: Any) -> "httpx2.Response":
        """Send a PUT request."""
        return self._client.put(self.url + path, **options)

    def delete(self, path: str, **options: Any) -> "httpx2.Response":
        """Send a DELETE request."""
        return self._client.delete(self.url + path, **options)

    def status(self, task_id: str, *states: str) -> dict[str, Any]:
        """Return the status of a task run when it has ended, or is in one of the states.

        Only the durable patterns have a status.
        """
        awaited = states or ENDED
        last: dict[str, Any] = {}

        def is_reached() -> bool:
            last.update(self.get(f"/tasks/{task_id}").json())
            return last.get("state") in awaited

        wait_for(is_reached, f"{awaited} of task run {task_id}")
        return last

    def log(self, name: str = "api") -> str:
        """Return what a process has printed."""
        return (self.folder / f"{name}.log").read_text()

    @cached_property
    def _client(self) -> "httpx2.Client":
        import httpx2

        # A connection for each request, so that a restarted server is no error.
        limits = httpx2.Limits(max_keepalive_connections=0)
        return httpx2.Client(limits=limits, timeout=TIMEOUT, trust_env=False)

    def _spawn(
        self, name: str, command: str, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *shlex.split(command)],
                cwd=self.folder,
                env=self._environment | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _served_port(self) -> str | None:
        if self._processes["api"].poll() is not None:
            raise AssertionError(f"the API has ended:\n{self.log()}")
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log())
        return found and found[1]

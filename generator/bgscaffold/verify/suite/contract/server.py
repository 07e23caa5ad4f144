"""The processes of one copy of the project, which all tests share."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx2

from bgscaffold.verify.suite.database import Database
from bgscaffold.verify.suite.project import VerifiedProject
from bgscaffold.verify.suite.servers import free_port
from bgscaffold.verify.suite.waiting import until

DOMAINS = Path(__file__).parent
TIMEOUT = 30.0  # seconds; only a failing test waits that long
ENDED = ("succeeded", "dead", "cancelled")
# Retries, sweeps and leases are short, so that no test waits for them.
FAST = {
    "SHUTDOWN_GRACE": "1",
    "TASK_BACKOFF": "0.01",
    "TASK_LEASE": "1.5",
    "TASK_RETRIES": "1",
    "TASK_SWEEP": "0.05",
}
# Uvicorn's own limit, which applies before SHUTDOWN_GRACE. The last one counts.
EXTRA_ARGUMENTS = {"api": ("--timeout-graceful-shutdown", "1")}


class Server:
    """The project's processes in a folder, with a database and a queue of their own."""

    def __init__(
        self, project: VerifiedProject, folder: Path, *domains: Path, **env: str
    ) -> None:
        self.project = project
        self.folder = folder
        self.url = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._port = "0"
        self._cleanup = ExitStack()
        project.copy_to(folder, *domains)
        server = project.database_server
        self.database = self._cleanup.enter_context(Database(folder, server))
        self._metrics_port = free_port()
        queue = f"bgscaffold-{uuid4().hex}"
        self.env = project.environment(self.database, queue) | {
            "ADMIN_TOKEN": "",
            "BGSCAFFOLD_MARKS": str(folder / "marks"),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "TMPDIR": str(folder),
            "WORKER_METRICS_PORT": str(self._metrics_port),
            **FAST,
            **env,
        }
        # A connection per request, so that a restarted server is no error.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._client = self._cleanup.enter_context(
            httpx2.Client(limits=limits, timeout=TIMEOUT, trust_env=False)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name)
        if self.url:  # it has started, so there may be queues
            queue = self.env["TASK_QUEUE"]
            self.project.delete_queues(self.folder, self.env, queue, f"{queue}.slow")
        self._cleanup.close()

    def migrate(self) -> None:
        """Bring the database to the newest revision."""
        if not self.database.is_sqlite:  # a start migrates SQLite
            done = self.run("-m", "alembic", "upgrade", "head")
            assert done.returncode == 0, done.stdout + done.stderr

    @property
    def runner(self) -> str:
        """The name of the process that runs the tasks."""
        return self.project.processes[-1]

    def spawn(self, *names: str, **env: str) -> None:
        """Start these, or the pattern's processes, except those that run already.

        A second process of a kind has a number in its name: `api-2`.
        """
        for name in names or self.project.processes:
            if name not in self.processes or self.processes[name].poll() is not None:
                self.processes[name] = self._spawn(name, env)

    def start(self) -> None:
        """Start the pattern's processes, and wait until the API serves."""
        self.spawn()
        self._port = until(self._served_port, lambda: f"the API\n{self.log('api')}")
        self.url = f"http://127.0.0.1:{self._port}"

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """Send a GET request."""
        return self._client.get(self.url + path, **options)

    def post(self, path: str, **options: Any) -> httpx2.Response:
        """Send a POST request."""
        return self._client.post(self.url + path, **options)

    def ask(self, path: str, **options: Any) -> httpx2.Response:
        """Send a POST request to a route of the domain bgscaffold_contract."""
        return self.post(f"/bgscaffold-contract/{path}", **options)

    def enqueue(self, path: str, **options: Any) -> Any:
        """Do the same, demand a 202, and return the answer's JSON."""
        answer = self.ask(path, **options)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def lines(self, path: str) -> Iterator[str]:
        """Yield the lines of an answer as they arrive."""
        with self._client.stream("GET", self.url + path) as answer:
            yield from answer.iter_lines()

    def status(self, task_id: str, *states: str) -> dict[str, Any]:
        """Return the status of a task run when it has ended, or is in a state."""
        awaited = states or ENDED
        last: dict[str, Any] = {}

        def is_reached() -> bool:
            last.update(self.get(f"/tasks/{task_id}").json())
            return last.get("state") in awaited

        until(is_reached, lambda: f"{awaited} of {task_id}, which is {last}", TIMEOUT)
        return last

    def worker_metrics(self) -> str:
        """Return the metrics on the worker's own port, '' while nobody listens."""
        with contextlib.suppress(httpx2.ConnectError):
            url = f"http://127.0.0.1:{self._metrics_port}/metrics"
            return self._client.get(url).text
        return ""

    def marks(self, prefix: str = "") -> list[str]:
        """Return the lines that tasks have written, in order."""
        file = self.folder / "marks"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(prefix)]

    def wait_for_marks(self, prefix: str, count: int = 1) -> list[str]:
        """Wait for a number of marks, and return them."""

        def are_enough() -> bool:
            return len(self.marks(prefix)) >= count

        wanted = f"{count} x {prefix!r}"
        until(are_enough, lambda: f"{wanted} in {self.marks()[-20:]}", TIMEOUT)
        return self.marks(prefix)

    def open_gate(self, name: str) -> None:
        """Let the tasks that wait at this gate continue."""
        (self.folder / name).touch()

    def kill(self, name: str) -> None:
        """Send SIGKILL to a process and its children, as a power cut does."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT)

    def terminate(self, name: str) -> None:
        """Send SIGTERM to a process, and not to its children."""
        self.processes[name].terminate()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the project's Python in the folder to its end."""
        return subprocess.run(
            [str(self.project.python), *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def run_command(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project to its end."""
        [_python, *arguments] = self.project.command(name)
        return self.run(*arguments)

    def log(self, name: str) -> str:
        """Return what a process has printed since its start."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait_for_log(self, name: str, text: str | re.Pattern[str]) -> None:
        """Wait until a process has printed a text."""
        pattern = text if isinstance(text, re.Pattern) else re.compile(re.escape(text))

        def is_printed() -> bool:
            return bool(pattern.search(self.log(name)))

        what = f"{pattern.pattern} in the log of {name}"
        until(is_printed, lambda: f"{what}:\n{self.log(name)[-3000:]}", TIMEOUT)

    def _spawn(self, name: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
        port = {"UVICORN_PORT": self._port if name == "api" else "0"}
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [
                    *self.project.command(name.split("-")[0]),
                    *EXTRA_ARGUMENTS.get(name, ()),
                ],
                cwd=self.folder,
                env=self.env | port | env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _served_port(self) -> str:
        ended = self.processes["api"].poll() is not None
        assert not ended, f"the API has ended:\n{self.log('api')}"
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log("api"))
        return found[1] if found else ""


Copy = Callable[..., Server]  # makes a copy of the project with domains

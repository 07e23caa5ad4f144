"""The real processes of this project, as `uv run poe dev` starts them.

They run in a copy of the code to which a domain can be added, just as you would add one. With
TEST_DATABASE_URL (PostgreSQL) and TEST_BROKER_URL (Redis, RabbitMQ) the same tests run on these.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:  # what takes long to import waits until the processes have been started
    import httpx2
    from sqlalchemy import Connection

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds; only a failing test waits that long


def wait_for(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return the condition's first true value."""
    begun = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - begun
        if waited > patience:
            raise AssertionError(f"waited {patience} s in vain for: {what}")
        time.sleep(min(0.01 + waited / 10, 0.1))  # whom we ask all the time gets nothing else done
    return value


class Project:
    """A copy of this project in a folder of its own, with a database and a queue of its own."""

    def __init__(self, folder: Path, *domains: Path, **env: str) -> None:
        self.folder = folder
        self.url = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
        for domain in domains:
            shutil.copytree(domain, folder / "app" / domain.name)
        self._database = Database()
        self._port = "0"
        self._metrics_port = free_port()
        self.env = _environment() | {
            "ENVIRONMENT": "development",
            "DATABASE_URL": self._database.url,
            "TASK_QUEUE": f"test-{uuid4().hex}",
            "WORKER_METRICS_PORT": str(self._metrics_port),
            "MARKS": str(folder / "marks"),
            **env,
        }
        self._database.create()
        if os.environ.get("TEST_DATABASE_URL"):  # SQLite is migrated when the API starts
            migrated = self.run("-c", "from app.database import migrate; migrate()")
            assert migrated.returncode == 0, migrated.stderr

    @cached_property
    def _client(self) -> "httpx2.Client":
        import httpx2

        limits = httpx2.Limits(max_keepalive_connections=0)
        return httpx2.Client(limits=limits, timeout=PATIENCE, trust_env=False)

    def close(self) -> None:
        """End everything, as by SIGKILL."""
        for name in list(self.processes):
            self.kill(name)
        self._client.close()
        self._database.drop()

    @property
    def runner(self) -> str:
        """The name of the process that runs the tasks."""
        return "worker" if "worker" in self.processes else "api"

    def spawn(self, *names: str, **env: str) -> None:
        """Start these, or all that a task needs, except what is running already.

        A second process of a kind has a name of its own, such as "api-2".
        """
        for name in names or _names():
            if name not in self.processes or self.processes[name].poll() is not None:
                self.processes[name] = self._spawn(name, env)

    def start(self) -> None:
        """Do the same, and wait until the API answers."""
        self.spawn()
        self._port = wait_for(self._served_port, f"the API\n{self.log('api')}")
        self.url = f"http://127.0.0.1:{self._port}"

    def post(self, path: str, **kwargs: Any) -> "httpx2.Response":
        """Send a request on a connection of its own."""
        return self._client.post(self.url + path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> "httpx2.Response":
        """Send a request on a connection of its own."""
        return self._client.put(self.url + path, **kwargs)

    def delete(self, path: str) -> "httpx2.Response":
        """Send a request on a connection of its own."""
        return self._client.delete(self.url + path)

    def get(self, path: str) -> "httpx2.Response":
        """Send a request on a connection of its own."""
        return self._client.get(self.url + path)

    def status(self, task_id: str, *states: str) -> dict[str, Any]:
        """Return the status of a task run, as soon as it has ended or is in one of these states."""
        wanted = states or ("succeeded", "dead", "cancelled")

        def found() -> dict[str, Any] | None:
            now: dict[str, Any] = self.get(f"/tasks/{task_id}").json()
            return now if now["state"] in wanted else None

        result: dict[str, Any] = wait_for(found, f"{wanted} of task run {task_id}")
        return result

    def lines(self, path: str) -> Iterator[str]:
        """Give the lines of an answer as they come."""
        with self._client.stream("GET", self.url + path) as answer:
            yield from answer.iter_lines()

    def metrics(self) -> str:
        """Return the metrics of the process that runs the tasks."""
        port = self._metrics_port if self.runner == "worker" else self._port
        return self._client.get(f"http://127.0.0.1:{port}/metrics").text

    def marks(self, prefix: str = "") -> list[str]:
        """Return the lines that the domain `contract` has written, in order."""
        file = self.folder / "marks"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(prefix)]

    def wait_for_marks(self, prefix: str, count: int = 1) -> list[str]:
        """Wait until there are so many marks, and return them."""
        enough = f"{count} x {prefix!r} in {self.folder / 'marks'}"
        wait_for(lambda: len(self.marks(prefix)) >= count, enough)
        return self.marks(prefix)

    def open_gate(self, name: str) -> None:
        """Let the tasks that wait at this gate go on."""
        (self.folder / name).touch()

    def kill(self, name: str) -> None:
        """End a process and its children with SIGKILL, as a power cut or the OOM killer does."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)

    def terminate(self, name: str) -> None:
        """Send SIGTERM to a process; its children hear nothing."""
        self.processes[name].terminate()

    def query(self, statement: str) -> list[Any]:
        """Return the rows that a statement finds in the project's database."""
        from sqlalchemy import text

        with self._connection() as connection:
            return list(connection.execute(text(statement)))

    @contextlib.contextmanager
    def locked_database(self) -> Iterator[None]:
        """Let nobody write to the database as long as the block lasts."""
        lock = "LOCK TABLE task_runs IN EXCLUSIVE MODE"
        with self._connection() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else lock)
            yield

    @contextlib.contextmanager
    def _connection(self) -> Iterator["Connection"]:
        from sqlalchemy import create_engine

        url = self._database.url.replace("sqlite:///", f"sqlite:///{self.folder}/")
        engine = create_engine(url)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the project's folder and environment, to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        return (self.folder / f"{name}.log").read_text()

    def _spawn(self, name: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *_command(name.split("-")[0])],
                cwd=self.folder,
                env=self.env | {"UVICORN_PORT": self._port if name == "api" else "0"} | env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _served_port(self) -> str | None:
        if self.processes["api"].poll() is not None:
            raise AssertionError(f"the API has ended:\n{self.log('api')}")
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log("api"))
        return found and found[1]


class Database:
    """SQLite in the folder `var`, or a new database on the server of TEST_DATABASE_URL."""

    def __init__(self) -> None:
        self._server = os.environ.get("TEST_DATABASE_URL")
        self._name = f"test_{uuid4().hex}"
        self.url = "sqlite:///var/app.db"
        if self._server:
            self.url = self._address(database=self._name)

    def create(self) -> None:
        """Create it; SQLite does so by itself."""
        self._execute(f"CREATE DATABASE {self._name}")

    def drop(self) -> None:
        """Drop it, whoever is still connected."""
        self._execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        if self._server:
            import psycopg

            address = self._address(drivername="postgresql")
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(statement.encode())

    def _address(self, **parts: Any) -> str:
        from sqlalchemy import make_url

        assert self._server
        return make_url(self._server).set(**parts).render_as_string(hide_password=False)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def _environment() -> dict[str, str]:
    """Return this environment; the settings of the project itself are left out."""
    passed = {k: v for k, v in os.environ.items() if k not in ("BROKER_URL", "ACTION_LOG")}
    broker = os.environ.get("TEST_BROKER_URL")
    return passed | ({"BROKER_URL": broker} if broker else {})


def _names() -> list[str]:
    return [name for name in ("api", "worker") if name in _tasks()]  # no test waits for beat


def _command(name: str) -> list[str]:
    return shlex.split(_tasks()[name]["cmd"])


def _tasks() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tasks: dict[str, Any] = project["tool"]["poe"]["tasks"]
    return tasks

"""What a fault works with: one freshly rendered project, its processes, its load."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.servers import Server
from tests.faults.stack import Stack
from tests.projects.terminal import until

PATIENCE = 120.0  # seconds until everything accepted must be done
LEASE = 3  # TASK_LEASE of every project here


@dataclass
class Bench:
    """A project under load, and the servers that it uses."""

    pattern: str
    stack: Stack
    load: Load
    random: Random
    quick: bool
    database: str  # its URL
    broker: Server | None
    postgres: Server | None
    proxy: Proxy | None
    servers: ExitStack
    injected: int = 0
    accepted_but: set[str] = field(default_factory=set)  # tasks that are meant to die
    recovered: float = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The processes of the pattern."""
        return ("api", "worker") if self.pattern == "celery" else ("api",)

    @property
    def runner(self) -> str:
        """The process that runs tasks."""
        return self.names[-1]

    @property
    def rounds(self) -> range:
        """How often a fault is injected."""
        return range(2 if self.quick else 10)

    def inject(self, fault: Callable[[], object]) -> None:
        """Do one harm, and count it."""
        fault()
        self.injected += 1

    def pass_time(self, shortest: float, longest: float) -> None:
        """Let the load run for a random time: the moment of a fault must not be a chosen one."""
        threading.Event().wait(self.random.uniform(shortest, longest))

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Start what the pattern needs, load it as long as the block lasts, wait for the rest."""
        self.stack.start(*self.names)
        with self.load.steady(self.stack.url()):
            self.pass_time(0.5, 1)
            yield
            self.pass_time(0.5, 1)
        self.recover()

    def recover(self) -> None:
        """Wait until all that was accepted is done and no row is open: nothing can double then."""
        start = time.monotonic()
        until(lambda: not self.lost(), self.state, PATIENCE)
        self.recovered = time.monotonic() - start
        until(lambda: not self.open_rows(), self.state, PATIENCE)

    def lost(self) -> set[str]:
        """Return what was accepted, should be done, and is not."""
        return self.load.lost() - self.accepted_but

    def state(self) -> str:
        """Say what is open, for the report of a loss."""
        rows = self.rows(
            "SELECT name, state, attempts, released, publishes, due_at, publish_again_at,"
            " arguments, error FROM task_runs WHERE state <> 'succeeded' ORDER BY due_at LIMIT 12"
        )
        return "\n".join([f"{len(self.lost())} tasks; rows not succeeded:", *map(str, rows)])

    def open_rows(self) -> int:
        """Return how many rows wait or run, except those of tasks that never end."""
        states = "'pending', 'retrying', 'running'"
        [[number]] = self.rows(f"SELECT count(*) FROM task_runs WHERE state IN ({states})")
        return int(number)

    def rows(self, statement: str) -> list[Any]:
        """Return what a query finds in the project's database."""
        if self.database.startswith("sqlite"):
            with closing(sqlite3.connect(self.database_file, timeout=20)) as connection:
                return connection.execute(statement).fetchall()
        address = self.database.replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as server:
            return server.execute(statement.encode()).fetchall()

    @property
    def database_file(self) -> Path:
        """The file of SQLite."""
        return self.stack.project / "var" / "app.db"

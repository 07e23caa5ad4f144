"""The outbox of a project, seen from outside."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg


class TaskTable:
    """The table `task_runs` of SQLite or PostgreSQL."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self.file = file  # of SQLite

    def open(self) -> int:
        """Return how many task runs wait or run."""
        states = "'pending', 'retrying', 'running'"
        [[number]] = self.rows(f"SELECT count(*) FROM task_runs WHERE state IN ({states})")
        return int(number)

    def running(self) -> int:
        """Return how many task runs are claimed."""
        [[number]] = self.rows("SELECT count(*) FROM task_runs WHERE state = 'running'")
        return int(number)

    def is_dead(self, name: str) -> bool:
        """Tell whether the attempts of a task are used up."""
        dead = self.rows("SELECT CAST(arguments AS TEXT) FROM task_runs WHERE state = 'dead'")
        return any(f'"{name}"' in arguments for [arguments] in dead)

    def forget(self, name: str) -> None:
        """Take the row of a task that cannot succeed out of the way."""
        pattern = f'%"{name}"%'
        self._execute(f"DELETE FROM task_runs WHERE CAST(arguments AS TEXT) LIKE '{pattern}'")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the write lock of SQLite."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def rows(self, statement: str) -> list[Any]:
        """Return what a query finds."""
        with self._connection() as connection:
            return list(connection.execute(statement).fetchall())

    def _execute(self, statement: str) -> None:
        with self._connection() as connection:
            connection.execute(statement)

    def _connection(self) -> AbstractContextManager[Any]:
        if self.url.startswith("sqlite"):
            return closing(sqlite3.connect(self.file, timeout=20, isolation_level=None))
        address = self.url.replace("+psycopg", "")
        return psycopg.connect(address, autocommit=True, connect_timeout=5)

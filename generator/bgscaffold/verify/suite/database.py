"""A new database for the processes of a project."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

SQLITE = "sqlite:///var/app.db"


class Database:
    """A new SQLite file in a project's folder, or a new `test_<hex>` on a server."""

    def __init__(self, project: Path, server: str = "") -> None:
        self.file = project / "var" / "app.db"
        self._server = psycopg_url(server) if server else ""
        self._name = f"test_{uuid4().hex}"

    @property
    def url(self) -> str:
        """The value of DATABASE_URL."""
        if not self._server:
            return SQLITE
        return self._address(self._name).replace("postgresql:", "postgresql+psycopg:")

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return not self._server

    def __enter__(self) -> Self:
        if self._server:
            self._on_server(f"CREATE DATABASE {self._name}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._on_server(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")

    def rows(self, statement: str) -> list[Any]:
        """Return the rows of a query."""
        with self._connection() as connection:
            return list(connection.execute(statement).fetchall())

    def execute(self, statement: str) -> None:
        """Run a statement, and commit it."""
        with self._connection() as connection:
            connection.execute(statement)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else write task runs while the block lasts."""
        with self._connection() as connection:
            if self.is_sqlite:
                connection.execute("BEGIN IMMEDIATE")
            else:
                connection.execute("BEGIN")
                connection.execute("LOCK TABLE task_runs IN EXCLUSIVE MODE")
            yield
            connection.execute("ROLLBACK")

    def _on_server(self, statement: str) -> None:
        options: dict[str, Any] = {"autocommit": True, "connect_timeout": 10}
        with psycopg.connect(self._server, **options) as connection:
            connection.execute(statement.encode())

    def _connection(self) -> AbstractContextManager[Any]:
        if self.is_sqlite:
            return closing(sqlite3.connect(self.file, timeout=20, isolation_level=None))
        address = self._address(self._name)
        return psycopg.connect(address, autocommit=True, connect_timeout=5)

    def _address(self, name: str) -> str:
        return urlsplit(self._server)._replace(path=f"/{name}").geturl()


def psycopg_url(url: str) -> str:
    """Return a URL as psycopg reads it, without the name of SQLAlchemy's driver."""
    return f"postgresql://{url.partition('://')[2]}"

"""A database for tests: a SQLite file, or a new database on TEST_DATABASE_URL's server."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from sqlalchemy import URL


class TestDatabase:
    """A database that exists for one test run."""

    __test__ = False  # pytest takes the name for a class of tests

    def __init__(self, folder: Path) -> None:
        self._server = os.environ.get("TEST_DATABASE_URL")
        self._name = f"test_{uuid4().hex}"
        self.url = f"sqlite:///{folder / 'app.db'}"
        if self._server:
            url = self._server_url().set(database=self._name)
            self.url = url.render_as_string(hide_password=False)

    def create(self, project: Path) -> None:
        """Create and migrate it. SQLite needs nothing, because the start does so."""
        if not self._server:
            return
        self._execute(f"CREATE DATABASE {self._name}")
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=project,
            env=os.environ | {"DATABASE_URL": self.url},
            check=True,
        )

    def drop(self) -> None:
        """Drop it, even if a process is still connected."""
        if self._server:
            self._execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        from sqlalchemy import create_engine

        engine = create_engine(self._server_url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _server_url(self) -> "URL":
        from sqlalchemy import make_url

        assert self._server
        return make_url(self._server).set(drivername="postgresql+psycopg")

"""The application's database, as the outbox uses it."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Executable, Row, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from afterward.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Rows = list[Row[Any]]
log = logging.getLogger(__name__)


class Database:
    """The engines of the application, and statements in transactions of their own."""

    def __init__(
        self,
        engine: Callable[[], AsyncEngine] | None,
        sync_engine: Callable[[], Engine] | None,
    ) -> None:
        self._get_engine = engine
        self._get_sync_engine = sync_engine
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_connections)

    @property
    def engine(self) -> AsyncEngine:
        """The engine for `async` code."""
        return self._get_engine() if self._get_engine else self._derived_engine

    @property
    def sync_engine(self) -> Engine:
        """The engine for `def` code: workers, scripts, heartbeats."""
        if self._get_sync_engine:
            return self._get_sync_engine()
        return self._derived_sync_engine

    @cached_property
    def _derived_engine(self) -> AsyncEngine:
        url = self.sync_engine.url
        if url.get_backend_name() == "sqlite":
            url = url.set(drivername="sqlite+aiosqlite")
        engine = create_async_engine(url, pool_pre_ping=True)
        configure_sqlite(engine.sync_engine)
        return engine

    @cached_property
    def _derived_sync_engine(self) -> Engine:
        url = self.engine.url
        if url.get_backend_name() == "sqlite":
            url = url.set(drivername="sqlite")
        elif url.get_driver_name() == "asyncpg":
            raise StartupError(
                "The outbox needs an engine for `def` code, and asyncpg has none. Use"
                " postgresql+psycopg://... or pass sync_engine= to Background(...)."
            )
        engine = create_engine(url, pool_pre_ping=True)
        configure_sqlite(engine)
        return engine

    def session(self) -> AsyncSession:
        """Return a new session for `async` code."""
        return AsyncSession(self.engine)

    def sync_session(self) -> Session:
        """Return a new session for `def` code."""
        return Session(self.sync_engine)

    def execute(self, *statements: Executable) -> Rows:
        """Execute statements in one transaction, and return the rows of the last."""
        rows: Rows = []
        with self.sync_engine.begin() as connection:
            for statement in statements:
                result = connection.execute(statement)
                rows = list(result) if result.returns_rows else []
        return rows

    async def execute_async(self, statement: Executable) -> Rows:
        """Execute a statement in a transaction of its own, and return its rows."""
        async with self.engine.begin() as connection:
            result = await connection.execute(statement)
            return list(result) if result.returns_rows else []

    def _forget_connections(self) -> None:
        """Drop the parent's connections in a forked child.

        Two processes must not share a socket.
        """
        for given in (self._get_engine, self._get_sync_engine):
            if given and _is_made(given):
                _dispose(given())
        for name in ("_derived_engine", "_derived_sync_engine"):
            if name in self.__dict__:
                _dispose(self.__dict__[name])


def _is_made(engine: Callable[[], Any]) -> bool:
    """Return whether a function has made its engine; a plain function always has."""
    cache_info = getattr(engine, "cache_info", None)
    return cache_info is None or cache_info().currsize > 0


def _dispose(engine: Engine | AsyncEngine) -> None:
    if isinstance(engine, AsyncEngine):
        engine = engine.sync_engine
    engine.dispose(close=False)


def configure_sqlite(engine: Engine) -> None:
    """Let SQLite commit to the disk, and readers not wait for the writer.

    An engine of another database is left unchanged.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


def write_delays() -> Iterator[float]:
    """Return the seconds between two tries to write an outcome, without end."""
    return chain((0.1, 0.5, 1, 2, 4), repeat(8))


@contextmanager
def logging_errors(action: str) -> Iterator[None]:
    """Log an error of the block, and continue after the block."""
    try:
        yield
    except SQLAlchemyError as error:
        log.warning("cannot %s: %s; trying again", action, first_line(error))
    except Exception:
        log.exception("cannot %s; trying again", action)


def first_line(error: Exception) -> str:
    """Return the first line of a database error, without SQL and parameters."""
    return str(error).partition("\n")[0]

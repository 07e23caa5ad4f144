"""The database: one engine, a session for each request, and the migrations.

A route that takes `SessionDep` writes its rows, and the tasks it enqueues, in one transaction,
committed before the response is sent: a task always finds the rows of the request it came from.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from fastapi import Depends
from sqlalchemy import URL, Connection, Engine, Executable, Row, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction

from app.refusals import RefusesToStart
from app.settings import settings


class Base(DeclarativeBase):
    """The declarative base of the domains' own tables."""


@cache
def engine() -> AsyncEngine:
    """Return this process's engine for `async` code: the API's."""
    url = _url()
    if url.get_backend_name() == "sqlite":
        url = url.set(drivername="sqlite+aiosqlite")
    built = create_async_engine(url, connect_args=_connect_args(url), pool_pre_ping=True)
    _prepare_connections(built.sync_engine)
    return built


@cache
def sync_engine() -> Engine:
    """Return this process's engine for `def` code: workers, scripts, the renewal of leases."""
    url = _url()
    built = create_engine(url, connect_args=_connect_args(url), pool_pre_ping=True)
    _prepare_connections(built)
    return built


async def session() -> AsyncIterator[AsyncSession]:
    """Yield a session that is committed when the handler returns, before the response is sent."""
    # Without close_resets_only=False, a session used inside a stream would silently open again and
    # keep a write lock that nobody ends.
    async with AsyncSession(engine(), expire_on_commit=False, close_resets_only=False) as opened:
        yield opened
        try:
            await opened.commit()
        except BaseException:
            # A COMMIT that SQLite refuses leaves its transaction open: the connection would go back
            # to the pool with a write lock that nobody ends.
            await opened.rollback()
            raise


# scope="function" ends the session before the response. FastAPI's default ends it after the
# background tasks: they would see no row, and a failing one would undo a request already answered.
SessionDep = Annotated[AsyncSession, Depends(session, scope="function")]


def when_committed(session: Session, call: Callable[[], None]) -> None:
    """Call once, as soon as the session's present transaction is committed; never if it is not."""
    scope = session.get_nested_transaction() or session.get_transaction() or session.begin()
    waiting = [call]

    @event.listens_for(session, "after_commit")
    def committed(session: Session) -> None:
        if waiting and session.get_nested_transaction() is None:
            waiting.pop()()

    @event.listens_for(session, "after_soft_rollback")
    def rolled_back(_session: Session, ended: SessionTransaction) -> None:
        if ended is scope or ended.parent is None:
            waiting.clear()


def execute(*statements: Executable) -> list[Row[Any]]:
    """Execute statements in one transaction of their own, and return the rows of the last."""
    rows: list[Row[Any]] = []
    with sync_engine().begin() as connection:
        for statement in statements:
            result = connection.execute(statement)
            rows = list(result) if result.returns_rows else []
    return rows


async def execute_async(statement: Executable) -> list[Row[Any]]:
    """Execute a statement in a transaction of its own, and return its rows."""
    async with engine().begin() as connection:
        result = await connection.execute(statement)
        return list(result) if result.returns_rows else []


def reason(error: Exception) -> str:
    """Return in one line what the database complains of."""
    return str(error).partition("\n")[0]


async def prepare() -> None:
    """Make the database ready for this process: see `prepare_sync`."""
    await asyncio.to_thread(prepare_sync)


def prepare_sync() -> None:
    """Migrate SQLite at start; for any other database refuse to start on an outdated schema.

    Raises:
        RefusesToStart: The database cannot be used, or its schema is not what this code needs.
    """
    if _url().get_backend_name() == "sqlite":
        migrate()
        return
    with _connect() as connection:
        present = MigrationContext.configure(connection).get_current_heads()
    needed = ScriptDirectory.from_config(_alembic()).get_heads()
    if set(present) != set(needed):
        raise RefusesToStart(
            f"The database's schema is at {present or 'no revision'}, this code needs {needed}."
            " Run: uv run poe migrate"
        )


def migrate() -> None:
    """Bring the schema to the newest revision. Safe to call from several processes at once.

    Raises:
        RefusesToStart: The database cannot be used.
    """
    with _connect() as connection:
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _connect() -> Connection:
    """Open the connection that a start needs first, with SQLite's write lock.

    Only this says without a traceback what is wrong: an error of a migration needs its place.
    """
    try:
        connection = sync_engine().connect()
        if connection.dialect.name == "sqlite":
            # The file's own write lock makes a second process wait here, then find nothing to do.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    except (DBAPIError, OSError) as error:
        raise RefusesToStart(_unusable(error)) from None
    return connection


def _unusable(error: DBAPIError | OSError) -> str:
    url = _url().set(query={})  # which may hold a password, too
    other = "let this user write there" if url.get_backend_name() == "sqlite" else "start it"
    return f"The database {url} cannot be used: {reason(error)}. Correct DATABASE_URL, or {other}."


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _url() -> URL:
    return make_url(settings.database_url)


def _connect_args(url: URL) -> dict[str, Any]:
    if url.get_backend_name() != "sqlite":
        return {"connect_timeout": 5}
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return {"timeout": 5}  # seconds to wait for another writer; then the request answers 503


def _prepare_connections(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
        cursor.execute("PRAGMA synchronous=FULL")  # a commit is on the disk, also after a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


def _forget_engines() -> None:
    """Drop the parent's connections in a forked child: two processes must not share a socket."""
    for cached in (engine, sync_engine):
        if cached.cache_info().currsize:
            built = cached()
            (built.sync_engine if isinstance(built, AsyncEngine) else built).dispose(close=False)
            cached.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_engines)


def alembic_connection(config: Config) -> Connection | None:
    """Return the connection that `migrate` hands to Alembic, None under the `alembic` command."""
    connection: Connection | None = config.attributes.get("connection")
    return connection

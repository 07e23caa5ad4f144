"""The database: one engine, a session for each request, and the migrations.

A route that takes `SessionDep` writes its rows and the tasks that it enqueues in one
transaction, committed before the response is sent. So a task always finds the rows of the
request that it came from.
"""

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from alembic import command
from alembic.config import Config
from fastapi import Depends
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from afterward.database import configure_sqlite
from afterward.schema import prepare_database
from app.settings import settings


class Base(DeclarativeBase):
    """The base class of your tables."""


@cache
def engine() -> AsyncEngine:
    """Return the engine for `async` code."""
    url = database_url()
    if url.get_backend_name() == "sqlite":
        url = url.set(drivername="sqlite+aiosqlite")
    engine = create_async_engine(url, **engine_options(url))
    configure_sqlite(engine.sync_engine)
    return engine


@cache
def sync_engine() -> Engine:
    """Return the engine for `def` code: workers, scripts, migrations."""
    url = database_url()
    engine = create_engine(url, **engine_options(url))
    configure_sqlite(engine)
    return engine


async def session() -> AsyncIterator[AsyncSession]:
    """Yield a session that is committed when the handler returns."""
    # Without close_resets_only=False, a session that is used in a stream would silently
    # start a new transaction, which nobody ends.
    options: dict[str, Any] = {"expire_on_commit": False, "close_resets_only": False}
    async with AsyncSession(engine(), **options) as session:
        yield session
        try:
            await session.commit()
        except BaseException:
            await session.rollback()  # SQLite keeps its lock when a COMMIT fails
            raise


# scope="function" ends the session before the response is sent. FastAPI's default ends it
# after the background tasks, which would then not see its rows.
SessionDep = Annotated[AsyncSession, Depends(session, scope="function")]


def prepare() -> None:
    """Migrate SQLite at each start. For PostgreSQL, require the newest revision."""
    prepare_database(sync_engine(), alembic_config())


def migrate() -> None:
    """Bring the schema to the newest revision: `uv run poe migrate`."""
    command.upgrade(alembic_config(), "head")


def alembic_config() -> Config:
    """Return Alembic's configuration, which works from every folder."""
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    config.set_main_option("path_separator", "os")
    return config


def database_url() -> URL:
    """Return DATABASE_URL."""
    return make_url(settings.database_url)


def engine_options(url: URL) -> dict[str, Any]:
    """Return the options of both engines. Times are in seconds."""
    if url.get_backend_name() != "sqlite":
        return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return {"pool_pre_ping": True, "connect_args": {"timeout": 5}}

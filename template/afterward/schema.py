"""The application's schema at start: migrated on SQLite, checked on other databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from afterward.database import first_line
from afterward.errors import StartupError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine


def prepare_database(engine: Engine, config: Config) -> None:
    """Migrate SQLite. For any other database, require the newest revision.

    Safe to call from several processes at once.

    Raises:
        StartupError: The database cannot be used, or its schema is not the newest.
    """
    with _connect(engine) as connection:
        if connection.dialect.name == "sqlite":
            migrate(connection, config)
        else:
            _require_newest_revision(connection, config)


def migrate(connection: Connection, config: Config) -> None:
    """Bring the schema to the newest revision on this connection."""
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _require_newest_revision(connection: Connection, config: Config) -> None:
    present = MigrationContext.configure(connection).get_current_heads()
    needed = ScriptDirectory.from_config(config).get_heads()
    if set(present) != set(needed):
        raise StartupError(
            f"The database is at {', '.join(present) or 'no revision'}, and this code"
            f" needs {', '.join(needed)}. Run: uv run poe migrate"
        )


def _connect(engine: Engine) -> Connection:
    """Open the first connection of a start; on SQLite, with its write lock.

    A second process waits for the lock, and then finds nothing to do.
    """
    try:
        connection = engine.connect()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    except (DBAPIError, OSError) as error:
        url = engine.url.set(query={})  # a query may contain a password
        is_sqlite = url.get_backend_name() == "sqlite"
        remedy = "allow this user to write there" if is_sqlite else "start the server"
        raise StartupError(
            f"The database {url} cannot be used: {first_line(error)}. Correct"
            f" DATABASE_URL, or {remedy}."
        ) from None
    return connection

"""Alembic's environment: `uv run alembic revision --autogenerate -m NAME` finds the tables here."""

import re
from typing import Any

from alembic import context

from app import domains
from app.database import Base, alembic_connection, sync_engine


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave out the task runs, whose migration ships with the project, and full-text indexes.

    Alembic cannot compare these, so call one `notes_fts`: on SQLite it is a table, and more behind.
    """
    return kind not in ("table", "index") or not re.search("^task_runs$|_fts(_|$)", name or "")


def run(connection: Any) -> None:
    """Run the migrations on this connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


domains.import_routers()  # so that Base knows every domain's tables
if (given := alembic_connection(context.config)) is not None:
    run(given)
else:
    with sync_engine().connect() as opened:
        run(opened)
        opened.commit()

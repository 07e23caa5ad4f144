"""Alembic's environment: `uv run alembic revision --autogenerate -m NAME`."""

from typing import Any

from alembic import context

from afterward.outbox import migrations
from app.background import background
from app.database import Base, sync_engine


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Leave out afterward's tables, and full-text indexes such as `notes_fts`.

    On SQLite a full-text index is a set of tables, which Alembic cannot compare.
    """
    if "_fts" in (name or ""):
        return False
    return migrations.include_name(name, kind, parents)


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


background.domains.import_routers()  # so that Base knows the tables of all domains
if (given := context.config.attributes.get("connection")) is not None:
    run(given)  # at a start
else:
    with sync_engine().connect() as connection:
        run(connection)
        connection.commit()

"""The schema of the outbox, in versions.

The application's first migration calls `upgrade(to=1)`. A later version of the schema
comes with `python -m afterward migration`, which writes a revision that calls
`upgrade(since=1, to=2)`. Steps of a released version never change.
"""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from afterward.database import Database
from afterward.errors import StartupError

VERSION_TABLE = "afterward_schema"
_OPEN = "state IN ('pending', 'retrying', 'running')"
_OWN_NAMES = re.compile(rf"(task_runs|ix_task_runs_\w+|{VERSION_TABLE})$")


def upgrade(*, to: int, since: int = 0) -> None:
    """Bring the schema from version `since` to version `to`, in an Alembic migration."""
    if since == 0:
        op.create_table(VERSION_TABLE, sa.Column("version", sa.Integer, nullable=False))
        op.execute(f"INSERT INTO {VERSION_TABLE} (version) VALUES (0)")
    for step in STEPS[since:to]:
        step()
    op.execute(f"UPDATE {VERSION_TABLE} SET version = {to}")


def downgrade() -> None:
    """Drop all tables of the package, and every record of past task runs with them."""
    op.drop_table("task_runs")
    op.drop_table(VERSION_TABLE)


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave the package's tables and indexes out of Alembic's autogenerate."""
    return kind not in ("table", "index") or not _OWN_NAMES.match(name or "")


def check_version(database: Database) -> None:
    """Refuse to start on an older schema.

    Raises:
        StartupError: It names both versions and the remedy.
    """
    present = present_version(database)
    if present < len(STEPS):
        raise StartupError(
            f"The schema of afterward in the database has version {present}, and this"
            f" code needs version {len(STEPS)}. Run: uv run python -m afterward migration,"
            " then: uv run poe migrate"
        )


def present_version(database: Database) -> int:
    """Return the version of the schema in the database; 0 if there is none."""
    with database.sync_engine.connect() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return 0
        found = connection.execute(sa.text(f"SELECT version FROM {VERSION_TABLE}"))
        return int(found.scalar_one())


def _create_version_1() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "task_runs",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("published_at", moment),
        sa.Column("publish_again_at", moment),
        sa.Column("publishes", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("run_at", moment),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        sa.Column("progress", sa.Float()),
        sa.Column("progress_note", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("traceback", sa.Text()),
    )
    _create_index("due", ["priority", "due_at"], _OPEN)
    _create_index("lease", ["due_at"], "state IN ('running')")
    _create_index("published", ["publish_again_at"], "publish_again_at IS NOT NULL")
    _create_index(
        "served",
        ["name", "published_at"],
        "state NOT IN ('pending', 'retrying') AND published_at IS NOT NULL",
    )
    _create_index("ended", ["finished_at"], "finished_at IS NOT NULL")
    # For lists, the newest first.
    _create_index("created", ["created_at", "id"])
    _create_index("state", ["state", "created_at", "id"])
    _create_index("name", ["name", "created_at", "id"])


def _create_index(name: str, columns: list[str], where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        f"ix_task_runs_{name}",
        "task_runs",
        columns,
        sqlite_where=condition,
        postgresql_where=condition,
    )


STEPS: list[Callable[[], None]] = [_create_version_1]

"""The table `task_runs`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

Condition = ColumnElement[bool]
WAITING = ("pending", "retrying")
OPEN = (*WAITING, "running")
PRIORITIES = {"high": 1, "normal": 0, "low": -1}


class UTCDateTime(sa.TypeDecorator[datetime]):
    """A moment in UTC, also on SQLite, which has no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: object
    ) -> datetime | None:
        """Convert to UTC, because SQLite compares moments as text."""
        return value.astimezone(UTC) if value else None

    def process_result_value(
        self, value: datetime | None, dialect: object
    ) -> datetime | None:
        """Add the time zone that SQLite does not store."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


task_runs = sa.Table(
    "task_runs",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("arguments", sa.JSON, nullable=False),
    sa.Column("state", sa.String(10), nullable=False, default="pending"),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    # How many attempts have started. It also fences them: an outcome names its attempt.
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("retries", sa.Integer, nullable=False),
    # How many of the attempts do not count, because their process was stopped.
    sa.Column("released", sa.Integer, nullable=False, default=0),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    # When anybody may claim the row; while it is running, the end of the lease.
    sa.Column("due_at", UTCDateTime, nullable=False),
    sa.Column("publishes", sa.Integer, nullable=False, default=0),  # wake-ups sent
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("published_at", UTCDateTime),
    sa.Column("publish_again_at", UTCDateTime),
    sa.Column("run_at", UTCDateTime),
    sa.Column("started_at", UTCDateTime),
    sa.Column("finished_at", UTCDateTime),
    sa.Column("progress", sa.Float),
    sa.Column("progress_note", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("traceback", sa.Text),
)
row = task_runs.c

# Arguments are read as text: one row with invalid JSON must not hide all the others.
ARGUMENTS = sa.cast(row.arguments, sa.Text).label("arguments")
COLUMNS = [ARGUMENTS if column.name == "arguments" else column for column in row]


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def state_in(states: Iterable[str], table: FromClause = task_runs) -> Condition:
    """Match these states. They are literals, or no partial index could be used."""
    literals: list[Any] = [sa.literal(each, literal_execute=True) for each in states]
    return table.c.state.in_(literals)

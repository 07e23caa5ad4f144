"""The table `task_runs`, and one row of it that this process has claimed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.background.task import TASKS, TaskRun


class Moment(sa.TypeDecorator[datetime]):
    """A moment in UTC, also on SQLite, which has no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, _dialect: object) -> datetime | None:
        """Give a naive value of SQLite its time zone."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


task_runs = sa.Table(
    "task_runs",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("arguments", sa.JSON, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),  # started ones; also the fence
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("released", sa.Integer, nullable=False),  # attempts that a drain gave back
    sa.Column("due_at", Moment, nullable=False),  # while running: the end of the lease
    sa.Column("published_at", Moment),  # the wake-up message, in pattern celery
    sa.Column("publish_again_at", Moment),
    sa.Column("publishes", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("error", sa.Text),
    sa.Column("traceback", sa.Text),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A task run that this process may execute; `attempt` fences it against later claims."""

    run: TaskRun
    attempt: int
    retries_left: int

    @classmethod
    def of(cls, found: sa.Row[Any]) -> "Claim":
        """Read what `claim` returned."""
        arguments = found.arguments
        run = TaskRun(found.id, TASKS[found.name], arguments["args"], arguments["kwargs"])
        return cls(run, found.attempts, found.retries - (found.attempts - found.released) + 1)

"""The table `task_runs`, and one row of it that this process has claimed."""

import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.background.settings import settings
from app.background.task import TASKS, TaskRun
from app.monitoring import Attempt


class Moment(sa.TypeDecorator[datetime]):
    """A moment in UTC, also on SQLite, which has no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: object) -> datetime | None:
        """Write every moment in UTC, for SQLite compares them as text."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: object) -> datetime | None:
        """Give a naive value of SQLite its time zone."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


task_runs = sa.Table(
    "task_runs",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("arguments", sa.JSON, nullable=False),
    sa.Column("state", sa.String(10), nullable=False, default="pending"),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),  # started; also the fence
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("released", sa.Integer, nullable=False, default=0),  # attempts that do not count
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("due_at", Moment, nullable=False),  # while running: the end of the lease
    sa.Column("publishes", sa.Integer, nullable=False, default=0),  # wake-up messages, in celery
    sa.Column("created_at", Moment, nullable=False),
    *(sa.Column(f"{what}_at", Moment) for what in ("published", "publish_again", "run")),
    *(sa.Column(f"{what}_at", Moment) for what in ("started", "finished")),
    sa.Column("progress", sa.Float),
    *(sa.Column(what, sa.Text) for what in ("progress_note", "error", "traceback")),
)

# The arguments as text: one row that holds no JSON must not hide all the others.
ARGUMENTS = sa.cast(task_runs.c.arguments, sa.Text).label("arguments")
COLUMNS = [ARGUMENTS if column.name == "arguments" else column for column in task_runs.c]


@dataclass(frozen=True, slots=True)
class Claim:
    """A task run that this process may execute; `attempt` fences it against later claims."""

    run: TaskRun
    attempt: int
    retries_left: int
    watch: Attempt

    @classmethod
    def of(cls, found: sa.Row[Any]) -> "Claim":
        """Read what `claim` returned."""
        task, due = TASKS[found.name], found.run_at or found.created_at
        left = found.retries - (found.attempts - found.released) + 1
        try:
            arguments = json.loads(found.arguments)
            run = TaskRun(found.id, task, arguments["args"], arguments["kwargs"])
        except (ValueError, TypeError, KeyError):
            run = TaskRun(found.id, replace(task, func=_unreadable), [found.arguments], {})
        first = due if found.attempts == 1 else None
        return cls(run, found.attempts, left, Attempt(found.name, found.id, found.attempts, first))

    def repeats(self, error: BaseException) -> bool:
        """Tell whether another attempt follows this error: it is transient, and some are left."""
        options = self.run.task.options
        permanent = isinstance(error, options.get("discard_on", ()))
        transient = isinstance(error, options.get("retry_on", BaseException))
        return self.retries_left > 0 and transient and not permanent

    def backoff(self) -> timedelta:
        """Return the wait before the next attempt; jitter spreads what has failed together."""
        return longest_backoff(self.attempt) * random.uniform(0.5, 1)

    def failed(self, error: BaseException) -> None:
        """Tell the log, the metrics and whoever else is told that this attempt has failed."""
        self.watch.failed(error, "retrying" if self.repeats(error) else "dead")


def longest_backoff(attempt: int) -> timedelta:
    """Return how long the next attempt may have to wait after this one: at most an hour."""
    return timedelta(seconds=min(3600, settings.task_backoff * 2 ** min(attempt - 1, 20)))


def _unreadable(arguments: str) -> None:
    raise ValueError(f"The arguments in the row are not what add_task wrote: {arguments!r}")

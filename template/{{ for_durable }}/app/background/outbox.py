"""The outbox: one row for each task run, and every statement that touches it.

A row is inserted in the caller's own transaction, so it is there if and only if the caller's rows
are. To run it, a process claims it by compare-and-swap and holds a lease, which it renews. One that
dies renews nothing, so when the lease has ended another claims the row. Hence a task runs at least
once, may run twice after a crash, and must be idempotent.

The statements are written once: the API runs them async, workers and scripts through `def` code.
"""

import random
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, func

from app.background.settings import settings
from app.background.table import Claim, task_runs
from app.background.task import TASKS, TaskRun

row = task_runs.c
OPEN = ("pending", "retrying", "running")


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def rows(runs: list[TaskRun], delay: timedelta = timedelta(0)) -> list[dict[str, Any]]:
    """Return the rows of new task runs, due after the delay."""
    moment = now()
    return [
        {
            "id": run.task_id,
            "name": run.task.name,
            "arguments": {"args": run.args, "kwargs": run.kwargs},
            "state": "pending",
            "attempts": 0,
            "retries": run.task.options.get("retries", settings.task_retries),
            "released": 0,
            "publishes": 0,
            "due_at": moment + delay,
            "created_at": moment,
        }
        for run in runs
    ]


# `due_at` says when somebody may claim a row that is open: at once, after the backoff or, for a
# running one, when its lease ends. One partial index serves all three.
def due() -> ColumnElement[bool]:
    """Match the rows that anybody may claim now."""
    return row.state.in_(OPEN) & (row.due_at <= now())


def _attempts_left() -> ColumnElement[bool]:
    return row.attempts - row.released <= row.retries


def claim(which: ColumnElement[bool], limit: int = 1) -> sa.Update:
    """Start an attempt of at most `limit` of these rows, and return them."""
    found = (
        sa.select(row.id)
        .where(which, row.name.in_(list(TASKS)), _attempts_left())
        .order_by(row.due_at)
        .limit(limit)
        # PostgreSQL: a row that somebody holds is left to him, a single one is waited for.
        # SQLite has one writer at a time anyway.
        .with_for_update(skip_locked=limit > 1)
        .cte("found")
    )
    return (
        task_runs.update()
        .where(row.id.in_(sa.select(found.c.id)))
        .values(
            state="running",
            attempts=row.attempts + 1,
            due_at=now() + timedelta(seconds=settings.task_lease),
            started_at=func.coalesce(row.started_at, now()),
            published_at=None,
            publish_again_at=None,
            publishes=0,
        )
        .returning(task_runs)
    )


def waiting(task_ids: Iterable[str]) -> ColumnElement[bool]:
    """Match those of these rows that no process has claimed yet."""
    return row.id.in_(list(task_ids)) & (row.state == "pending")


def announced(task_id: str, attempts: int) -> ColumnElement[bool]:
    """Match the row of a wake-up message, unless it has been claimed since: drop the message then.

    Whoever sent the message saw that the row was due, so clocks that differ do no harm here.
    """
    is_due = row.state.in_(("pending", "retrying")) | due()
    return (row.id == task_id) & (row.attempts == attempts) & is_due


def bury() -> sa.Update:
    """Declare dead what killed its process at every attempt."""
    return (
        task_runs.update()
        .where(due(), row.state == "running", ~_attempts_left())
        .values(state="dead", finished_at=now(), error="The process died while running this task.")
        .returning(row.name, row.id)
    )


def renew(claims: Iterable[Claim]) -> list[sa.Update]:
    """Keep the leases of these claims."""
    until = now() + timedelta(seconds=settings.task_lease)
    return [_mine(claim).values(due_at=until) for claim in claims]


def succeed(claim: Claim) -> sa.Update:
    """Finish a claim whose task has returned."""
    return _mine(claim).values(state="succeeded", finished_at=now(), error=None, traceback=None)


def fail(claim: Claim, error: BaseException, wait: timedelta) -> sa.Update:
    """Note the failure: retry it after the wait or, if it was the last attempt, declare it dead."""
    reason = {
        "error": _text(traceback.format_exception_only(error)),
        "traceback": _text(traceback.format_exception(error)),
    }
    if claim.retries_left <= 0:
        return _mine(claim).values(state="dead", finished_at=now(), **reason)
    return _mine(claim).values(state="retrying", due_at=now() + wait, **reason)


def release(claim: Claim) -> sa.Update:
    """Give a claim back because this process stops: the attempt does not count."""
    return _mine(claim).values(state="pending", due_at=now(), released=row.released + 1)


def excuse(claim: Claim) -> sa.Update:
    """Let an attempt not count, but keep the lease: the thread that runs it cannot be stopped."""
    return _mine(claim).values(released=row.released + 1)


def clean() -> sa.Delete:
    """Delete what has succeeded longer ago than TASK_RETENTION days."""
    before = now() - timedelta(days=settings.task_retention)
    return task_runs.delete().where(row.state == "succeeded", row.finished_at < before)


def backoff(claim: Claim) -> timedelta:
    """Return the wait before the next attempt; jitter spreads what has failed together."""
    longest = settings.task_backoff * 2 ** min(claim.attempt - 1, 20)
    return timedelta(seconds=min(3600, longest * random.uniform(0.5, 1)))


def _mine(claim: Claim) -> sa.Update:
    # The fence: whoever lost the lease, and was overtaken, changes nothing.
    return task_runs.update().where(
        row.id == claim.run.task_id, row.attempts == claim.attempt, row.state == "running"
    )


def _text(lines: list[str]) -> str:
    """Join the lines, without what a database cannot store: NUL, half characters, megabytes."""
    text = "".join(lines).strip().replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace").decode()[-10_000:]

"""The outbox: one row for each task run, and every statement that touches it.

A row is inserted in the caller's own transaction, so it is there if and only if the caller's rows
are. To run it, a process claims it by compare-and-swap and holds a lease, which it renews. One that
dies renews nothing, so when the lease has ended another claims the row. Hence a task runs at least
once, may run twice after a crash, and must be idempotent.

The statements are written once: the API runs them async, workers and scripts through `def` code.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, func

from app.background.settings import settings
from app.background.table import COLUMNS, task_runs
from app.background.task import TASKS

row = task_runs.c
WAITING = ("pending", "retrying")
OPEN = (*WAITING, "running")
PRIORITIES = {"high": 1, "normal": 0, "low": -1}
# Seconds. When a statement failed, or waited for longer than OUTAGE, leases may have ended that are
# renewed as soon as their holders can write: the next look is after RENEWAL.
OUTAGE = settings.task_lease / 3
RENEWAL = settings.task_sweep + 1


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def state_in(states: Iterable[str], table: FromClause = task_runs) -> ColumnElement[bool]:
    """Match these states. They are written into the statement, or no partial index would serve."""
    return table.c.state.in_([sa.literal(state, literal_execute=True) for state in states])


# `due_at` says when somebody may claim a row that is open: at once, after the backoff or, for a
# running one, when its lease ends. One partial index serves all three.
def due() -> ColumnElement[bool]:
    """Match the rows that anybody may claim now."""
    return state_in(OPEN) & (row.due_at <= now())


def _claimable() -> ColumnElement[bool]:
    return row.name.in_(list(TASKS)) & _attempts_left() & ~row.cancel_requested


def _attempts_left() -> ColumnElement[bool]:
    return row.attempts - row.released <= row.retries


def first(limit: int, *which: ColumnElement[bool]) -> sa.Select[Any]:
    """Select the due rows that come first: by priority, then those that are due longest."""
    # One look into the index per priority: however long the queue, only `limit` rows are read.
    # Priority and limit are literal: else PostgreSQL, with a million rows, would plan each time.
    looks = [
        sa.select(row.id, row.priority, row.due_at)
        .where(due(), row.priority == sa.literal(priority, literal_execute=True), *which)
        .order_by(row.due_at)
        .limit(sa.literal(limit, literal_execute=True))
        # PostgreSQL: what somebody holds is left to him. SQLite has one writer at a time anyway.
        .with_for_update(skip_locked=True)
        .subquery()
        for priority in PRIORITIES.values()
    ]
    both = sa.union_all(*(sa.select(look) for look in looks)).subquery()
    return sa.select(both.c.id).order_by(both.c.priority.desc(), both.c.due_at).limit(limit)


def claim_first(limit: int, *which: ColumnElement[bool]) -> sa.Update:
    """Start an attempt of at most `limit` rows that are due, and return them."""
    found = first(limit, _claimable(), ~_suspect(), *which).cte("found")
    return _start(row.id.in_(sa.select(found.c.id)))


def claim_suspect(*which: ColumnElement[bool]) -> sa.Update:
    """Start the last attempt of a row whose earlier ones all ended with their process.

    Run one at a time, it takes no other to its grave if it is the one that kills.
    """
    found = first(1, _claimable(), _suspect(), *which).cte("found")
    return _start(row.id.in_(sa.select(found.c.id)))


def _suspect() -> ColumnElement[bool]:
    return (row.state == "running") & (row.attempts - row.released == row.retries)


def claim(which: ColumnElement[bool]) -> sa.Update:
    """Start an attempt of these rows, and return them."""
    return _start(which & _claimable())


def _start(which: ColumnElement[bool]) -> sa.Update:
    return (
        task_runs.update()
        .where(which)
        .values(
            state="running",
            attempts=row.attempts + 1,
            due_at=now() + timedelta(seconds=settings.task_lease),
            started_at=func.coalesce(row.started_at, now()),
            publish_again_at=None,
            publishes=0,
        )
        .returning(*COLUMNS)
    )


def waiting(task_ids: Iterable[str]) -> ColumnElement[bool]:
    """Match those of these rows that no process has claimed yet."""
    return row.id.in_(list(task_ids)) & (row.state == "pending")


def announced(task_id: str, attempts: int) -> ColumnElement[bool]:
    """Match the row of a wake-up message, unless it has been claimed since: drop the message then.

    Whoever sent the message saw that the row was due, so clocks that differ do no harm here.
    """
    is_due = row.state.in_(WAITING) | due()
    return (row.id == task_id) & (row.attempts == attempts) & is_due


def offer(task_ids: Iterable[str]) -> sa.Update:
    """Let any process claim these rows, which the one that inserted them is too busy to start."""
    return task_runs.update().where(waiting(task_ids)).values(due_at=now())


def bury(*which: ColumnElement[bool]) -> sa.Update:
    """Declare dead what killed its process at every attempt, or cancelled where that was asked."""
    state = sa.case((row.cancel_requested, "cancelled"), else_="dead")
    error = "The process died while running this task."
    return (
        task_runs.update()
        .where(state_in(["running"]), row.due_at <= now(), *which)
        .where(~_attempts_left() | row.cancel_requested)
        .values(state=state, finished_at=now(), error=error)
        .returning(row.name, row.id, row.attempts, row.state)
    )

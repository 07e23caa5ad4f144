"""The outbox: one row for each task run, and every statement that touches it.

A row is inserted in the caller's own transaction, so it is there if and only if the caller's rows
are. To run it, a process claims it by compare-and-swap and holds a lease, which it renews. One that
dies renews nothing, so when the lease has ended another claims the row. Hence a task runs at least
once, may run twice after a crash, and must be idempotent.

The statements are written once: the API runs them async, workers and scripts through `def` code.
"""

import traceback
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, func

from app.background.settings import settings
from app.background.table import COLUMNS, Claim, task_runs
from app.background.task import TASKS

row = task_runs.c
WAITING = ("pending", "retrying")
OPEN = (*WAITING, "running")
PRIORITIES = {"high": 1, "normal": 0, "low": -1}


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
    looks = [
        sa.select(row.id, row.priority, row.due_at)
        .where(due(), row.priority == priority, *which)
        .order_by(row.due_at)
        .limit(limit)
        # PostgreSQL: what somebody holds is left to him. SQLite has one writer at a time anyway.
        .with_for_update(skip_locked=True)
        .subquery()
        for priority in PRIORITIES.values()
    ]
    both = sa.union_all(*(sa.select(look) for look in looks)).subquery()
    return sa.select(both.c.id).order_by(both.c.priority.desc(), both.c.due_at).limit(limit)


def claim_first(limit: int) -> sa.Update:
    """Start an attempt of at most `limit` rows that are due, and return them."""
    found = first(limit, _claimable(), ~_suspect()).cte("found")
    return _start(row.id.in_(sa.select(found.c.id)))


def claim_suspect() -> sa.Update:
    """Start the last attempt of a row whose earlier ones all ended with their process.

    Run one at a time, it takes no other to its grave if it is the one that kills.
    """
    found = first(1, _claimable(), _suspect()).cte("found")
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


def bury() -> sa.Update:
    """Declare dead what killed its process at every attempt, or cancelled where that was asked."""
    state = sa.case((row.cancel_requested, "cancelled"), else_="dead")
    error = "The process died while running this task."
    return (
        task_runs.update()
        .where(state_in(["running"]), row.due_at <= now())
        .where(~_attempts_left() | row.cancel_requested)
        .values(state=state, finished_at=now(), error=error)
        .returning(row.name, row.id, row.attempts, row.state)
    )


def renew(claims: Iterable[Claim]) -> list[sa.Update]:
    """Keep the leases of these claims."""
    until = now() + timedelta(seconds=settings.task_lease)
    return [_mine(claim).values(due_at=until) for claim in claims]


def note_progress(claim: Claim, fraction: float, note: str) -> sa.Update:
    """Note how far a claim has come."""
    return _mine(claim).values(progress=fraction, progress_note=_text([note]))


def succeed(claim: Claim) -> sa.Update:
    """Finish a claim whose task has returned."""
    done = {"state": "succeeded", "finished_at": now(), "progress": 1.0}
    return _mine(claim).values(**done, error=None, traceback=None)


def fail(claim: Claim, error: BaseException, wait: timedelta) -> sa.Update:
    """Note the failure: retry it after the wait or, if no attempt follows, declare it dead."""
    again = {**_unless_cancelled("retrying"), "due_at": now() + wait}
    return _mine(claim).values(
        **(again if claim.repeats(error) else {"state": "dead", "finished_at": now()}),
        error=_text(traceback.format_exception_only(error)),
        traceback=_text(traceback.format_exception(error)),
    )


def stop(claim: Claim) -> sa.Update:
    """Finish a claim whose task was cancelled, as somebody had asked."""
    return _mine(claim).values(state="cancelled", finished_at=now())


def release(claim: Claim) -> sa.Update:
    """Give a claim back because this process stops: the attempt does not count."""
    again = _unless_cancelled("pending")
    return _mine(claim).values(due_at=now(), released=row.released + 1, **again)


def _unless_cancelled(state: str) -> dict[str, Any]:
    return {
        "state": sa.case((row.cancel_requested, "cancelled"), else_=state),
        "finished_at": sa.case((row.cancel_requested, now())),
    }


def excuse(claim: Claim) -> sa.Update:
    """Let an attempt not count, but keep the lease: the thread that runs it cannot be stopped."""
    return _mine(claim).values(released=row.released + 1)


def _mine(claim: Claim) -> sa.Update:
    # The fence: whoever lost the lease, and was overtaken, changes nothing.
    return task_runs.update().where(
        row.id == claim.run.task_id, row.attempts == claim.attempt, row.state == "running"
    )


def _text(lines: list[str]) -> str:
    """Join the lines, without what a database cannot store: NUL, half characters, megabytes."""
    text = "".join(lines).strip().replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace").decode()[-10_000:]

"""Claiming rows: an attempt starts by compare-and-swap, and holds a lease."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

from afterward.observability.attempts import Attempt
from afterward.outbox.models import (
    COLUMNS,
    OPEN,
    PRIORITIES,
    WAITING,
    Condition,
    now,
    row,
    state_in,
    task_runs,
)
from afterward.settings import get_settings
from afterward.tasks import TASKS, TaskRun

MAX_BACKOFF = timedelta(hours=1)


def is_due() -> Condition:
    """Match the rows that anybody may claim now, orphaned ones included."""
    return state_in(OPEN) & (row.due_at <= now())


def is_unclaimed(task_ids: Iterable[str]) -> Condition:
    """Match those of these rows that no process has claimed yet."""
    return row.id.in_(list(task_ids)) & (row.state == "pending")


def matches_wakeup(task_id: str, attempts: int) -> Condition:
    """Match the row of a wake-up, unless the row has been claimed since.

    The sender saw that the row was due, so clocks that differ do no harm here.
    """
    is_claimable_now = row.state.in_(WAITING) | is_due()
    return (row.id == task_id) & (row.attempts == attempts) & is_claimable_now


def _is_claimable() -> Condition:
    return row.name.in_(list(TASKS)) & _has_attempts_left() & ~row.cancel_requested


def _has_attempts_left() -> Condition:
    return row.attempts - row.released <= row.retries


def _is_last_attempt_after_crashes() -> Condition:
    is_last = row.attempts - row.released == row.retries
    return (row.state == "running") & is_last


def select_due(limit: int, *conditions: Condition) -> sa.Select[Any]:
    """Select due rows in order: by priority, then those that have been due longest."""
    # One index lookup per priority: however long the queue, only `limit` rows are read.
    # Priority and limit are literals, or PostgreSQL would plan at each execution.
    lookups = [
        sa.select(row.id, row.priority, row.due_at)
        .where(is_due(), row.priority == _literal(priority), *conditions)
        .order_by(row.due_at)
        .limit(_literal(limit))
        # PostgreSQL skips rows that another transaction holds. SQLite has one writer.
        .with_for_update(skip_locked=True)
        .subquery()
        for priority in PRIORITIES.values()
    ]
    union = sa.union_all(*(sa.select(lookup) for lookup in lookups)).subquery()
    in_order = (union.c.priority.desc(), union.c.due_at)
    return sa.select(union.c.id).order_by(*in_order).limit(limit)


def _literal(value: int) -> sa.BindParameter[int]:
    return sa.literal(value, literal_execute=True)


def claim(condition: Condition) -> sa.Update:
    """Start an attempt of the matching rows, and return them."""
    return _start_attempt(condition & _is_claimable())


def claim_due(limit: int, *conditions: Condition) -> sa.Update:
    """Start an attempt of at most `limit` due rows, and return them."""
    usual = (_is_claimable(), ~_is_last_attempt_after_crashes())
    found = select_due(limit, *usual, *conditions).cte("found")
    return _start_attempt(row.id.in_(sa.select(found.c.id)))


def claim_last_attempt(*conditions: Condition) -> sa.Update:
    """Start the last attempt of one row whose earlier attempts all crashed.

    Such rows run one at a time, so that a task which kills its process does not use up
    the attempts of the tasks beside it.
    """
    suspects = (_is_claimable(), _is_last_attempt_after_crashes())
    found = select_due(1, *suspects, *conditions).cte("found")
    return _start_attempt(row.id.in_(sa.select(found.c.id)))


def _start_attempt(condition: Condition) -> sa.Update:
    return (
        task_runs.update()
        .where(condition)
        .values(
            state="running",
            attempts=row.attempts + 1,
            due_at=now() + get_settings().lease,
            started_at=func.coalesce(row.started_at, now()),
            publish_again_at=None,
            publishes=0,
        )
        .returning(*COLUMNS)
    )


def make_available(task_ids: Iterable[str]) -> sa.Update:
    """Let any process claim these rows, because the one that inserted them is full.

    Delayed rows stay as they are: they never had a head start.
    """
    has_head_start = is_unclaimed(task_ids) & row.run_at.is_(None)
    return task_runs.update().where(has_head_start).values(due_at=now())


def discard_orphans(*conditions: Condition) -> sa.Update:
    """End orphaned rows without attempts left, or with a request to cancel."""
    state = sa.case((row.cancel_requested, "cancelled"), else_="dead")
    is_orphaned = state_in(["running"]) & (row.due_at <= now())
    return (
        task_runs.update()
        .where(is_orphaned, *conditions)
        .where(~_has_attempts_left() | row.cancel_requested)
        .values(
            state=state,
            finished_at=now(),
            error="The process died while running this task.",
        )
        .returning(row.name, row.id, row.attempts, row.state)
    )


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A task run that this process may execute. `number` fences it against later claims."""

    run: TaskRun
    number: int  # of the attempt
    retries_left: int
    attempt: Attempt

    @classmethod
    def from_row(cls, found: sa.Row[Any]) -> "ClaimedRun":
        """Read a row that a claim returned."""
        counted = found.attempts - found.released
        is_first = found.attempts == 1
        return cls(
            run=_read_run(found),
            number=found.attempts,
            retries_left=found.retries - counted + 1,
            attempt=Attempt(
                task=found.name,
                task_id=found.id,
                number=found.attempts,
                due_at=(found.run_at or found.created_at) if is_first else None,
            ),
        )

    def should_retry(self, error: BaseException) -> bool:
        """Return whether another attempt follows this error."""
        options = self.run.task.options
        is_permanent = isinstance(error, options.get("discard_on", ()))
        is_transient = isinstance(error, options.get("retry_on", BaseException))
        return self.retries_left > 0 and is_transient and not is_permanent

    def backoff(self) -> timedelta:
        """Return the wait before the next attempt. Jitter spreads simultaneous retries."""
        return longest_backoff(self.number) * random.uniform(0.5, 1)

    def record_failure(self, error: BaseException) -> None:
        """Log, count and report that this attempt has failed."""
        outcome = "retrying" if self.should_retry(error) else "dead"
        self.attempt.fail(error, outcome)


def longest_backoff(attempt: int) -> timedelta:
    """Return the wait after this attempt, before jitter: at most an hour."""
    doubled = get_settings().task_backoff * 2 ** min(attempt - 1, 20)
    return min(MAX_BACKOFF, timedelta(seconds=doubled))


def _read_run(found: sa.Row[Any]) -> TaskRun:
    task = TASKS[found.name]
    try:
        arguments = json.loads(found.arguments)
        return TaskRun(found.id, task, arguments["args"], arguments["kwargs"])
    except (ValueError, TypeError, KeyError):
        unreadable = replace(task, func=_fail_unreadable)
        return TaskRun(found.id, unreadable, [found.arguments], {})


def _fail_unreadable(arguments: str) -> None:
    raise ValueError(
        f"The arguments in the row are not what add_task wrote: {arguments!r}"
    )

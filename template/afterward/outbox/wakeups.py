"""Wake-ups: which messages to send, which are unclaimed, which are lost.

At most PUBLISH_WINDOW messages are unclaimed in a queue. A message that nobody claims is
sent again after a wait that doubles. So a lost message costs a delay, and a backlog does
not flood the broker.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from afterward.outbox.claims import select_due
from afterward.outbox.maintenance import CLOCK_TOLERANCE
from afterward.outbox.models import (
    OPEN,
    WAITING,
    Condition,
    now,
    row,
    state_in,
    task_runs,
)
from afterward.settings import get_settings
from afterward.tasks import TASKS

MAX_WAIT = timedelta(minutes=15)


def queue_of(name: str) -> str:
    """Return the queue of a task: TASK_QUEUE, or the task's own below it."""
    base = get_settings().task_queue
    own = TASKS[name].options.get("queue") if name in TASKS else None
    return f"{base}.{own}" if own else base


def unclaimed_counts() -> sa.Executable:
    """Select how many messages of each task are unclaimed."""
    is_sent = state_in(OPEN) & row.publish_again_at.is_not(None)
    counts = sa.select(row.name, sa.func.count().label("number"))
    return counts.where(is_sent & ~_is_lost()).group_by(row.name)


def remaining_capacity(unclaimed: Iterable[sa.Row[Any]]) -> dict[tuple[str, ...], int]:
    """Return how many more messages each queue takes, by the names of its tasks."""
    numbers = {each.name: each.number for each in unclaimed}
    queues: dict[str, list[str]] = {}
    for name in TASKS:
        queues.setdefault(queue_of(name), []).append(name)
    window = get_settings().publish_window
    return {
        tuple(names): window - sum(numbers.get(name, 0) for name in names)
        for names in queues.values()
    }


def mark_published(limit: int, names: Iterable[str]) -> sa.Update:
    """Mark the first due rows without a message as published, and return them."""
    needs_message = row.publish_again_at.is_(None) | _is_lost()
    found = select_due(limit, row.name.in_(names), needs_message).cte("found")
    waits = {count: now() + _wait(count) for count in range(10)}
    again_at = sa.case(waits, value=row.publishes, else_=now() + MAX_WAIT)
    return (
        task_runs.update()
        .where(row.id.in_(sa.select(found.c.id)))
        .values(
            published_at=now(),
            publish_again_at=again_at,
            publishes=row.publishes + 1,
        )
        .returning(row.id, row.name, row.attempts, row.priority, row.due_at)
    )


def unmark_published(task_ids: list[str]) -> sa.Update:
    """Mark rows as not published, because their messages could not be sent."""
    return (
        task_runs.update()
        .where(row.id.in_(task_ids), row.publish_again_at.is_not(None))
        .values(publish_again_at=None, publishes=row.publishes - 1)
    )


def _is_lost() -> Condition:
    """Match rows whose message has waited too long, and is not just behind others.

    A message is lost when a later message of the same task was claimed, or when no
    worker runs anything.
    """
    other = task_runs.alias()
    was_overtaken = sa.exists().where(
        other.c.name == row.name,
        ~state_in(WAITING, other),
        other.c.published_at > row.published_at,
    )
    is_running = sa.exists().where(state_in(["running"], other), other.c.due_at > now())
    recently = other.c.finished_at.between(
        now() - get_settings().lease, now() + CLOCK_TOLERANCE
    )
    has_workers = is_running | sa.exists().where(recently)
    is_overdue = row.published_at < now() - MAX_WAIT
    # After the clock was set back, nobody knows how long the message has waited.
    is_in_future = row.published_at > now() + CLOCK_TOLERANCE
    is_due_again = row.publish_again_at <= now()
    return is_due_again & (was_overtaken | ~has_workers | is_overdue) | is_in_future


def _wait(publishes: int) -> timedelta:
    """Return how long a message may stay unclaimed: a lease, doubling up to 15 minutes."""
    doubled: timedelta = get_settings().lease * 2**publishes
    return min(doubled, MAX_WAIT)

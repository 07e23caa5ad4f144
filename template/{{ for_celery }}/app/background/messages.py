"""The wake-up messages, as the outbox knows them: which to send, which stand, which are lost.

At most PUBLISH_WINDOW messages stand unclaimed in a queue. One that nobody claims is sent again
after a wait that doubles: a lost message costs a delay, a backlog costs no flood.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.background import outbox
from app.background.celery_app import queue_of
from app.background.clock import SLACK
from app.background.outbox import now, row
from app.background.settings import settings
from app.background.table import task_runs
from app.background.task import TASKS

LONGEST_WAIT = timedelta(minutes=15)


def standing() -> sa.Select[Any]:
    """Select how many messages of each task stand."""
    stands = outbox.state_in(outbox.OPEN) & row.publish_again_at.is_not(None) & ~_lost()
    return sa.select(row.name, sa.func.count().label("number")).where(stands).group_by(row.name)


def room(found: Iterable[sa.Row[Any]]) -> dict[tuple[str, ...], int]:
    """Return, where these stand, each queue's room for more, by the names of the tasks it takes."""
    stand = {each.name: each.number for each in found}
    queues: dict[str, tuple[str, ...]] = {}
    for name in TASKS:
        queues[queue_of(name)] = (*queues.get(queue_of(name), ()), name)
    return {
        names: settings.publish_window - sum(stand.get(name, 0) for name in names)
        for names in queues.values()
    }


def mark(limit: int, names: Iterable[str]) -> sa.Update:
    """Mark the first rows that are due and have no message as having one, and return them."""
    found = outbox.first(limit, row.name.in_(names), missing()).cte("found")
    waits = {n: now() + _wait(n) for n in range(10)}
    return (
        task_runs.update()
        .where(row.id.in_(sa.select(found.c.id)))
        .values(
            published_at=now(),
            publish_again_at=sa.case(waits, value=row.publishes, else_=now() + LONGEST_WAIT),
            publishes=row.publishes + 1,
        )
        .returning(row.id, row.name, row.attempts, row.priority, row.due_at)
    )


def missing() -> sa.ColumnElement[bool]:
    """Match the rows that have no message, or one that is lost."""
    return row.publish_again_at.is_(None) | _lost()


def take_back(task_ids: list[str]) -> sa.Update:
    """Take the mark from rows whose messages could not be sent."""
    statement = task_runs.update().where(row.id.in_(task_ids), row.publish_again_at.is_not(None))
    return statement.values(publish_again_at=None, publishes=row.publishes - 1)


def _lost() -> sa.ColumnElement[bool]:
    """Match the rows whose message has waited too long, and does not just wait its turn.

    It is lost when a later message of the same task was served, or when no worker does anything.
    """
    other = task_runs.alias()
    overtaken = sa.exists().where(
        other.c.name == row.name,
        ~outbox.state_in(outbox.WAITING, other),
        other.c.published_at > row.published_at,
    )
    runs = sa.exists().where(outbox.state_in(["running"], other), other.c.due_at > now())
    lease = timedelta(seconds=settings.task_lease)
    ran = sa.exists().where(other.c.finished_at.between(now() - lease, now() + SLACK))
    lost = overtaken | ~(runs | ran) | (row.published_at < now() - LONGEST_WAIT)
    set_back = row.published_at > now() + SLACK  # the clock: nobody knows how long it has waited
    return (row.publish_again_at <= now()) & lost | set_back


def _wait(publishes: int) -> timedelta:
    """Return how long a message may stay unclaimed before another is sent: 30 s ... 15 minutes."""
    return min(timedelta(seconds=settings.task_lease * 2**publishes), LONGEST_WAIT)

"""Publishes a wake-up message for each row of the outbox that is due.

Publishing is itself a compare-and-swap, so several publishers never send one message twice. At most
PUBLISH_WINDOW messages stand unclaimed in the broker; one that nobody claims is sent again after a
wait that doubles: a lost message costs a delay, a backlog costs no flood.
"""

import logging
import os
import time
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import sqlalchemy as sa
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from app import database
from app.background import outbox, upkeep
from app.background.celery_app import celery_app, queue_of
from app.background.outbox import now, row
from app.background.settings import settings
from app.background.table import task_runs

BATCH = 100
SILENCE = 10.0  # seconds after which the broker is asked whether it is there
LONGEST_WAIT = timedelta(minutes=15)
log = logging.getLogger(__name__)


class Publisher:
    """The one thread of a process that talks to the broker: no request ever waits for it."""

    answers = True  # whether the broker did when it was last needed: a probe need not ask it
    _heard = 0.0

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, without a thread: at first, after a stop, in a forked child."""
        self._thread: Thread | None = None
        self._wake = Event()
        self._stopped = Event()

    def wake(self) -> None:
        """Publish what is due now, from the thread."""
        if self._thread is None:
            self.start(sweep=None)
        self._wake.set()

    def start(self, sweep: float | None) -> None:
        """Start the thread; with `sweep` it also looks on its own, after so many seconds."""
        self._thread = Thread(target=self._run, args=(sweep,), name="publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What it has not published, another process's sweep will."""
        self._stopped.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=5)
        self.reset()

    def _run(self, sweep: float | None) -> None:
        wake, stopped = self._wake, self._stopped
        while not stopped.is_set():
            wake.wait(sweep)
            wake.clear()
            publish_due()
            if time.monotonic() - self._heard > SILENCE:
                self._ask()

    def note(self, answers: bool) -> None:
        """Note whether the broker has just answered; the log tells of changes only."""
        if answers != self.answers:
            log.warning("the broker %s", "answers again" if answers else "does not answer")
        self.answers, self._heard = answers, time.monotonic()

    def _ask(self) -> None:
        try:
            with celery_app.connection_for_write() as connection:
                connection.default_channel.close()
        except Exception:
            log.debug("the broker was asked", exc_info=True)
            self.note(answers=False)
        else:
            self.note(answers=True)


def publish_due() -> None:
    """Publish a message for every due row that the window has room for. Never raises."""
    try:
        while len(batch := _take()) > 0:
            _send(batch)
            if len(batch) < BATCH:
                return
    except (OperationalError, OSError) as error:  # the next sweep tries again
        log.debug("wake-up messages were not published: %s", error)
    except SQLAlchemyError as error:
        log.warning("the outbox cannot be read; trying again: %s", error)
    except Exception:
        log.exception("wake-up messages were not published")


def _send(batch: list[sa.Row[Any]]) -> None:
    for sent, found in enumerate(batch):
        try:
            arguments = (found.id, found.attempts)
            celery_app.send_task(found.name, arguments, queue=queue_of(found.name))
        except Exception:
            publisher.note(answers=False)
            _take_back(batch[sent:])
            raise
    publisher.note(answers=True)


def _take() -> list[sa.Row[Any]]:
    upkeep.report_buried(database.execute(outbox.bury()))
    [(standing,)] = database.execute(_count_standing())
    free = min(BATCH, settings.publish_window - standing)
    taken = database.execute(_mark_published(free)) if free > 0 else []
    return sorted(taken, key=lambda found: (-found.priority, found.due_at))


def _take_back(batch: list[sa.Row[Any]]) -> None:
    ids = [found.id for found in batch]
    statement = task_runs.update().where(row.id.in_(ids), row.publish_again_at.is_not(None))
    database.execute(statement.values(publish_again_at=None, publishes=row.publishes - 1))


def _count_standing() -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(row.publish_again_at.is_not(None), ~_lost())


def _mark_published(limit: int) -> sa.Update:
    unannounced = row.publish_again_at.is_(None) | _lost()
    found = outbox.first(limit, unannounced).cte("found")
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
    recently = now() - timedelta(seconds=settings.task_lease)
    runs = sa.exists().where(outbox.state_in(["running"], other), other.c.due_at > now())
    ran = sa.exists().where(other.c.finished_at > recently)
    lost = overtaken | ~(runs | ran) | (row.published_at < now() - LONGEST_WAIT)
    return (row.publish_again_at <= now()) & lost


def _wait(publishes: int) -> timedelta:
    """Return how long a message may stay unclaimed before another is sent: 30 s ... 15 minutes."""
    return min(timedelta(seconds=settings.task_lease * 2**publishes), LONGEST_WAIT)


publisher = Publisher()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=publisher.reset)  # the child inherits no thread

"""Publishes a wake-up message for each row of the outbox that is due.

Publishing is itself a compare-and-swap, so several publishers never send one message twice.
"""

import logging
import os
import time
from collections.abc import Callable
from threading import Event, RLock, Thread
from typing import Any

import sqlalchemy as sa
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from app import database
from app.background import clock, messages, outbox, upkeep
from app.background.celery_app import celery_app, queue_of
from app.background.settings import settings

BATCH = 100
SILENCE = 10.0  # seconds after which the broker is asked whether it is there
_outage = Event()  # of the database
_clock = clock.Clock()
_turn = RLock()  # his who publishes, or who forks: no child inherits a lock that SQLite holds
log = logging.getLogger(__name__)


class Publisher:
    """The one thread of a process that talks to the broker: no request ever waits for it."""

    answers = True  # whether the broker did when it was last needed: a probe need not ask it
    swept = _heard = 0.0  # when, on the clock that is never set

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
            self.note(answers=True)
        except Exception:
            log.debug("the broker was asked", exc_info=True)
            self.note(answers=False)


def publish_due() -> None:
    """Publish a message for every due row that the window has room for. Never raises."""
    try:
        with _turn:
            _sweep()
            while batch := _take():
                _send(batch)
                if len(batch) < BATCH:
                    return
    except (OperationalError, OSError) as error:  # the next sweep tries again
        log.debug("wake-up messages were not published: %s", error)
    except SQLAlchemyError as error:
        log.warning("the outbox cannot be read: %s; trying again", database.reason(error))
        _outage.set()
    except Exception:
        log.exception("wake-up messages were not published")


def _send(batch: list[sa.Row[Any]]) -> None:
    for sent, found in enumerate(batch):
        try:
            arguments = (found.id, found.attempts)
            queue = queue_of(found.name)
            celery_app.send_task(found.name, arguments, task_id=found.id, queue=queue)
        except Exception:
            publisher.note(answers=False)
            database.execute(messages.take_back([each.id for each in batch[sent:]]))
            raise
    publisher.note(answers=True)


def _sweep() -> None:
    if time.monotonic() - publisher.swept > settings.task_sweep / 2:  # not for each that is woken
        publisher.swept = time.monotonic()
        if _clock.was_set_back():
            _execute(clock.put_right)
        upkeep.report_buried(_execute(outbox.bury))


def _take() -> list[sa.Row[Any]]:
    taken: list[sa.Row[Any]] = []
    for names, free in messages.room(_execute(messages.standing)).items():
        if free > 0:
            taken += _execute(messages.mark, min(BATCH, free), names)
    return sorted(taken, key=lambda found: (-found.priority, found.due_at))


def _execute(statement: Callable[..., sa.Executable], *arguments: Any) -> list[sa.Row[Any]]:
    if _outage.is_set():
        database.execute(clock.put_right())
        time.sleep(outbox.RENEWAL)
        _outage.clear()
    begun = time.monotonic()
    rows = database.execute(statement(*arguments))
    if time.monotonic() - begun > outbox.OUTAGE:
        _outage.set()
    return rows


publisher = Publisher()
if hasattr(os, "register_at_fork"):
    # With the embedded broker a thread of the worker publishes, while another forks the pool.
    os.register_at_fork(before=_turn.acquire, after_in_parent=_turn.release)
    os.register_at_fork(after_in_child=_turn.release)
    os.register_at_fork(after_in_child=publisher.reset)  # the child inherits no thread

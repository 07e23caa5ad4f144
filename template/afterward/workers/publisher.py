"""The publisher: sends a wake-up for each due row of the outbox.

Marking a row as published is a compare-and-swap, so several publishers never send one
message twice.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any

import sqlalchemy as sa
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from afterward.database import Database, Rows, first_line
from afterward.outbox import claims, maintenance, wakeups
from afterward.settings import get_settings

BATCH = 100
PING_AFTER = 10.0  # seconds without a message
log = logging.getLogger(__name__)


class Publisher:
    """The one thread of a process that talks to the broker. No request waits for it."""

    def __init__(self, database: Database, celery_app: Celery) -> None:
        self._database = database
        self._celery_app = celery_app
        # Whether the broker answered when it was last needed, so that probes need not ask.
        self.broker_answers = True
        self._last_answer = self._last_sweep = 0.0  # monotonic
        self._clock = maintenance.ClockSkewDetector()
        self._had_outage = Event()  # of the database
        # Held while publishing and while forking, so that a child never inherits a locked
        # mutex of SQLite. With the embedded broker, one thread of the worker publishes
        # while another forks the pool.
        self._fork_lock = RLock()
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._fork_lock.acquire,
                after_in_parent=self._fork_lock.release,
                after_in_child=self._after_fork,
            )

    def _reset(self) -> None:
        self._thread: Thread | None = None
        self._wake = Event()
        self._stopped = Event()

    def _after_fork(self) -> None:
        self._fork_lock.release()
        self._reset()  # a child inherits no thread

    def wake(self) -> None:
        """Publish in the thread what is due now."""
        if self._thread is None:
            self.start(sweep=None)
        self._wake.set()

    def start(self, sweep: float | None) -> None:
        """Start the thread. With `sweep` it also looks by itself, after so many seconds."""
        Path("var").mkdir(exist_ok=True)
        self._thread = Thread(
            target=self._run, args=(sweep,), name="publisher", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread. The sweep of another process publishes what remains."""
        self._stopped.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=5)
        self._reset()

    def _run(self, sweep: float | None) -> None:
        wake, stopped = self._wake, self._stopped
        while not stopped.is_set():
            wake.wait(sweep)
            wake.clear()
            self.publish_due()
            if time.monotonic() - self._last_answer > PING_AFTER:
                self._ping()

    def publish_due(self) -> None:
        """Publish a wake-up for each due row that fits the window. Never raises."""
        try:
            with self._fork_lock:
                self._sweep()
                while batch := self._reserve_batch():
                    self._send(batch)
                    if len(batch) < BATCH:
                        return
        except (OperationalError, OSError) as error:  # the next sweep tries again
            log.debug("wake-ups were not published: %s", error)
        except SQLAlchemyError as error:
            log.warning("cannot read the outbox: %s; trying again", first_line(error))
            self._had_outage.set()
        except Exception:
            log.exception("wake-ups were not published")

    def _sweep(self) -> None:
        interval = get_settings().task_sweep / 2
        if time.monotonic() - self._last_sweep <= interval:
            return  # not for each request
        self._last_sweep = time.monotonic()
        if self._clock.is_detected():
            self._execute(maintenance.reset_future_due_dates)
        maintenance.report_orphans(self._execute(claims.discard_orphans))

    def _reserve_batch(self) -> Rows:
        """Mark due rows as published, and return them in the order of their messages."""
        unclaimed = self._execute(wakeups.unclaimed_counts)
        reserved: Rows = []
        for names, free in wakeups.remaining_capacity(unclaimed).items():
            if free > 0:
                limit = min(BATCH, free)
                reserved += self._execute(wakeups.mark_published, limit, names)
        return sorted(reserved, key=lambda found: (-found.priority, found.due_at))

    def _send(self, batch: Rows) -> None:
        for sent, found in enumerate(batch):
            try:
                self._celery_app.send_task(
                    found.name,
                    (found.id, found.attempts),
                    task_id=found.id,
                    queue=wakeups.queue_of(found.name),
                )
            except Exception:
                self._set_broker_status(answers=False)
                unsent = [each.id for each in batch[sent:]]
                self._database.execute(wakeups.unmark_published(unsent))
                raise
        self._set_broker_status(answers=True)

    def _execute(
        self, statement: Callable[..., sa.Executable], *arguments: Any
    ) -> Rows:
        settings = get_settings()
        if self._had_outage.is_set():
            self._database.execute(maintenance.reset_future_due_dates())
            time.sleep(settings.recovery_pause)
            self._had_outage.clear()
        started = time.monotonic()
        rows = self._database.execute(statement(*arguments))
        if time.monotonic() - started > settings.outage_after:
            self._had_outage.set()
        return rows

    def _ping(self) -> None:
        try:
            with self._celery_app.connection_for_write() as connection:
                connection.default_channel.close()
            self._set_broker_status(answers=True)
        except Exception:
            log.debug("the broker does not answer a ping", exc_info=True)
            self._set_broker_status(answers=False)

    def _set_broker_status(self, *, answers: bool) -> None:
        """Save whether the broker has just answered, and log changes only."""
        if answers != self.broker_answers:
            verb = "answers again" if answers else "does not answer"
            log.warning("the broker %s", verb)
        self.broker_answers = answers
        self._last_answer = time.monotonic()

"""Beat: enqueues due periods, and prunes old rows. It runs no task and needs no broker.

Celery's own scheduler keeps a file of what it has sent, and sends it to the broker. A
second beat sends it twice, and with the broker down it is lost. Here a period is a row of
the outbox, which two beats insert once, and which is delivered like any other.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celery.beat import Scheduler

from afterward.database import logging_errors
from afterward.enqueue import BackgroundTasks
from afterward.outbox import maintenance

if TYPE_CHECKING:
    from collections.abc import Callable

    from afterward.backend import Application
    from afterward.schedule.periods import ScheduledTask

MAX_TICK = 30.0  # seconds
log = logging.getLogger(__name__)


class BeatScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Enqueues due periods, for `celery beat`."""

    application: Application
    prepare: Callable[[], None]

    def setup_schedule(self) -> None:
        """Prepare the database, and look back for missed periods."""
        self.prepare()
        self.scheduled = self._scheduled_tasks()
        self._prune_at = time.monotonic()

    def _scheduled_tasks(self) -> list[ScheduledTask]:
        from afterward.schedule.in_process import has_scheduled_tasks

        if not has_scheduled_tasks():
            return []
        from afterward.schedule.periods import scheduled_tasks

        return scheduled_tasks(self.application.backend, datetime.now(UTC))

    def tick(self, *_: object, **_options: object) -> float:
        """Enqueue and prune what is due, and return the seconds until the next look."""
        for scheduled in self.scheduled:
            try:
                self.enqueue_due_period(scheduled, datetime.now(UTC))
            except Exception:
                name = scheduled.task.name
                log.exception("task %s could not be enqueued; trying again", name)
        self._prune_if_due()
        now = datetime.now(UTC)
        looks = [
            (scheduled.next_look(now) - now).total_seconds()
            for scheduled in self.scheduled
        ]
        until_prune = max(0.0, self._prune_at - time.monotonic())
        return min([*looks, until_prune, MAX_TICK])

    def enqueue_due_period(self, scheduled: ScheduledTask, now: datetime) -> None:
        """Enqueue the period of a task that has started, if there is one."""
        if period := scheduled.due_period(now):
            with BackgroundTasks(self.application) as tasks:
                scheduled.add_to(tasks, period)
            scheduled.set_enqueued(period)  # not earlier: a failure is tried again

    def _prune_if_due(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + maintenance.PRUNE_INTERVAL
        with logging_errors("prune old task runs"):
            maintenance.prune(self.application.database)


def create_scheduler_class(
    application: Application, prepare: Callable[[], None]
) -> type[Any]:
    """Return the scheduler class of one application, because Celery makes the object."""

    attributes = {"application": application, "prepare": staticmethod(prepare)}
    return type("ApplicationScheduler", (BeatScheduler,), attributes)

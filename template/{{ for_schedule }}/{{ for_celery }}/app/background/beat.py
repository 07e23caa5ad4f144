"""Beat: enqueues the period of a task when it begins. It runs no task, and needs no broker.

Celery's own scheduler keeps a file of what it has sent, and sends it to the broker: a second beat
sends it twice, and with the broker down it is lost. Here the period is a row of the outbox, which
two beats insert once, and which is delivered like every other.
"""

import logging
from datetime import UTC, datetime

from celery.beat import Scheduler

from app import database
from app.background.celery_app import celery_app
from app.background.door import background_tasks
from app.background.periods import LOOK, Scheduled, scheduled
from app.background.settings import settings
from app.refusals import told_briefly

log = logging.getLogger(__name__)


class Beat(Scheduler):  # type: ignore[misc]  # Celery ships no types
    """Looks after every scheduled task, for `celery beat`."""

    def setup_schedule(self) -> None:
        """Prepare the database, and look back over what was missed."""
        with told_briefly():
            settings.refuse_embedded_broker_in_production()
            database.prepare_sync()
        self.scheduled = scheduled(datetime.now(UTC))

    def tick(self) -> float:
        """Enqueue what is due, and return the seconds until the next look."""
        for each in self.scheduled:
            try:
                enqueue_due(each, datetime.now(UTC))
            except Exception:
                log.exception("task %s could not be enqueued; trying again", each.task.name)
        now = datetime.now(UTC)
        looks = [each.next_look(now) for each in self.scheduled]
        return (min(looks, default=now + LOOK) - now).total_seconds()


def enqueue_due(each: Scheduled, now: datetime) -> None:
    """Enqueue the period of a task that has begun, if there is one."""
    if period := each.due(now):
        with background_tasks() as tasks:
            each.add(tasks, period)
        each.note(period)  # not before: what fails is due again at the next look


def install() -> None:
    """Let `celery beat` use this scheduler."""
    celery_app.conf.beat_scheduler = Beat

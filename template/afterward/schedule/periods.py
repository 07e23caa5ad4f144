"""Periods: each moment of a cron expression starts one, and each is enqueued once.

Under the durable patterns, the key `task name@moment` makes one row of a period, however
many processes enqueue it, and however often. So no process has to remember what was done:
at its start it looks back over SCHEDULE_GRACE, and existing rows stay as they are.
"""

import logging
from datetime import datetime, timedelta
from itertools import takewhile

from afterward.backend import Backend, Option
from afterward.enqueue import BackgroundTasks
from afterward.schedule import tasks_to_schedule
from afterward.schedule.cron import Cron
from afterward.settings import get_settings
from afterward.tasks import CallOptions, Task

# Upper bound between two looks: the database may have been down, a machine may have slept.
MAX_POLL_INTERVAL = timedelta(seconds=30)
log = logging.getLogger(__name__)


class ScheduledTask:
    """A scheduled task, and up to which moment its periods are enqueued."""

    def __init__(self, task: Task, enqueued_until: datetime, *, has_keys: bool) -> None:
        self.task = task
        self._cron = Cron.from_options(task.options)
        self._enqueued_until = enqueued_until
        self._has_keys = has_keys

    def due_period(self, now: datetime) -> datetime | None:
        """Return the period to enqueue: the last one that has started, if it is new."""
        periods = self._cron.after(self._enqueued_until)
        started = list(takewhile(lambda period: period <= now, periods))
        if not started:
            return None
        grace = timedelta(seconds=get_settings().schedule_grace)
        if now - started[-1] > grace:
            log.warning("task %s missed its period %s", self.task.name, started[-1])
            self._enqueued_until = started[-1]
            return None
        return started[-1]

    def add_to(self, tasks: BackgroundTasks, period: datetime) -> None:
        """Add the task run of a period: the same run, whichever process adds it."""
        options = CallOptions()
        if self._has_keys:
            options["key"] = f"{self.task.name}@{period.isoformat()}"
        tasks.options(**options).add_task(self.task.func)

    def set_enqueued(self, period: datetime) -> None:
        """Remember that a period is enqueued."""
        log.info("task %s, period %s: enqueued", self.task.name, period.isoformat())
        self._enqueued_until = period

    def next_look(self, now: datetime) -> datetime:
        """Return when to look again: when the next period starts, or earlier."""
        return min(next(self._cron.after(now)), now + MAX_POLL_INTERVAL)


def scheduled_tasks(backend: Backend, now: datetime) -> list[ScheduledTask]:
    """Return every task whose periods this process enqueues.

    What was missed within SCHEDULE_GRACE is due at once, if the outbox knows the rest.
    """
    has_keys = Option.KEY in backend.supports
    grace = timedelta(seconds=get_settings().schedule_grace)
    since = now - grace if has_keys else now
    return [
        ScheduledTask(task, since, has_keys=has_keys) for task in tasks_to_schedule()
    ]

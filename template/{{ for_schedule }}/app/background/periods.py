"""Periods: each moment that a task's cron expression names begins one, and each is enqueued once.

A period is enqueued by name: where there is an outbox, the key `task name@moment` makes one row of
it, however many processes enqueue it, and however often. So nobody has to remember what was done:
who starts looks back over the grace, and what stands there already stays as it is.
"""

import logging
from datetime import datetime, timedelta
from itertools import takewhile

from app.background.backend import backend
from app.background.cron import Cron, settings
from app.background.door import BackgroundTasks
from app.background.task import TASKS, CallOptions, Task

# So often at least somebody looks: the database may have been down, a machine may have slept.
LOOK = timedelta(seconds=30)
log = logging.getLogger(__name__)


class Scheduled:
    """A scheduled task, and how far its periods are enqueued."""

    def __init__(self, task: Task, since: datetime) -> None:
        self.task = task
        self._cron = Cron.of(task.options)
        self._enqueued = since

    def due(self, now: datetime) -> datetime | None:
        """Return the period to enqueue: of those that have begun since, the last one."""
        begun = list(takewhile(lambda period: period <= now, self._cron.after(self._enqueued)))
        if not begun:
            return None
        if now - begun[-1] > settings.grace:
            log.warning("task %s missed its period %s", self.task.name, begun[-1])
            self._enqueued = begun[-1]
            return None
        return begun[-1]

    def add(self, tasks: BackgroundTasks, period: datetime) -> None:
        """Add the task run of a period: the same one, whichever process adds it."""
        key = f"{self.task.name}@{period.isoformat()}"
        options = CallOptions(key=key) if "key" in backend.supports else CallOptions()
        tasks.options(**options).add_task(self.task.func)

    def note(self, period: datetime) -> None:
        """Note that a period is enqueued."""
        log.info("task %s, period %s: enqueued", self.task.name, period.isoformat())
        self._enqueued = period

    def next_look(self, now: datetime) -> datetime:
        """Return when to look again: when the next period begins, or earlier."""
        return min(next(self._cron.after(now)), now + LOOK)


def scheduled(now: datetime) -> list[Scheduled]:
    """Return every scheduled task, to be looked after from now on.

    What was missed within the grace is due at once, where the outbox knows what was not.
    """
    since = now - settings.grace if "key" in backend.supports else now
    return [Scheduled(task, since) for task in TASKS.values() if "cron" in task.options]

"""Schedules in the web process: APScheduler wakes, and the period that has begun is enqueued."""

# mypy: disable-error-code="import-untyped, misc"
# APScheduler 3 has no types; 4 has, but no stable release.

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from app.background import backend
from app.background.door import background_tasks
from app.background.periods import Scheduled, scheduled

logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every look


class NextLook(BaseTrigger):
    """Tells APScheduler when to look after a task."""

    def __init__(self, each: Scheduled) -> None:
        self._each = each

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return the moment of the next look."""
        return self._each.next_look(now)


async def enqueue_due(each: Scheduled) -> None:
    """Enqueue the period of a task that has begun, if there is one."""
    if period := each.due(datetime.now(UTC)):
        async with background_tasks() as tasks:
            each.add(tasks, period)
        each.note(period)  # not before: what fails is due again at the next look


def start() -> AsyncIOScheduler:
    """Look after every scheduled task from now on."""
    scheduler, now = AsyncIOScheduler(timezone=UTC), datetime.now(UTC)
    # However late it wakes: whether that is too late for a period, `due` decides.
    always = {"misfire_grace_time": None, "coalesce": True, "next_run_time": now}
    for each in scheduled(now):
        scheduler.add_job(enqueue_due, NextLook(each), [each], id=each.task.name, **always)
    scheduler.start()
    return scheduler


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Run tasks as long as the block lasts, also those that nobody enqueues but the clock."""
    async with backend.lifespan():
        scheduler = start()
        try:
            yield
        finally:
            scheduler.shutdown()
            await asyncio.sleep(0)  # it ends in a callback: before the drain, please

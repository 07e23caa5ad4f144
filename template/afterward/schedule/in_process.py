"""Schedules in the web process: APScheduler wakes up, and due periods are enqueued."""

# mypy: disable-error-code="import-untyped, misc"
# APScheduler 3 has no types; version 4 has, but no stable release.

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from afterward.enqueue import BackgroundTasks
from afterward.schedule import tasks_to_schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from afterward.backend import Application
    from afterward.schedule.periods import ScheduledTask


def has_scheduled_tasks() -> bool:
    """Return whether this process enqueues the periods of a task."""
    return bool(tasks_to_schedule())


@asynccontextmanager
async def run_schedule(application: Application) -> AsyncIterator[None]:
    """Enqueue due periods while the block lasts."""
    scheduler = _start_scheduler(application)
    try:
        yield
    finally:
        scheduler.shutdown()
        await asyncio.sleep(0)  # it ends in a callback, which must run before the drain


def _start_scheduler(application: Application) -> Any:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    from afterward.schedule.periods import scheduled_tasks

    now = datetime.now(UTC)
    scheduler = AsyncIOScheduler(timezone=UTC)
    for scheduled in scheduled_tasks(application.backend, now):
        scheduler.add_job(
            enqueue_due_period,
            _next_look_trigger(scheduled),
            [application, scheduled],
            id=scheduled.task.name,
            # However late it wakes up: `due_period` decides whether that is too late.
            misfire_grace_time=None,
            coalesce=True,
            next_run_time=now,
        )
    scheduler.start()
    return scheduler


def _next_look_trigger(scheduled: ScheduledTask) -> Any:
    from apscheduler.triggers.base import BaseTrigger

    class NextLook(BaseTrigger):
        def get_next_fire_time(
            self, previous_fire_time: datetime | None, now: datetime
        ) -> Any:
            return scheduled.next_look(now)

    return NextLook()


async def enqueue_due_period(
    application: Application, scheduled: ScheduledTask
) -> None:
    """Enqueue the period of a task that has started, if there is one."""
    if period := scheduled.due_period(datetime.now(UTC)):
        async with BackgroundTasks(application) as tasks:
            scheduled.add_to(tasks, period)
        scheduled.set_enqueued(period)  # not earlier: a failure is tried again

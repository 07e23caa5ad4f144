"""APScheduler, which wakes whoever looks after the scheduled tasks."""

# mypy: disable-error-code="import-untyped"
# APScheduler 3 has no types.

import asyncio
from datetime import UTC, datetime, timedelta
from inspect import signature

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app import domains
from app.background import schedule
from app.background.periods import Scheduled
from app.background.task import TASKS, Task, TaskOptions


def nothing() -> None:
    """Do nothing."""


def test_every_scheduled_task_has_a_job_and_none_outlives_the_application(
    migrated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains.import_tasks()
    scheduler = AsyncIOScheduler()
    monkeypatch.setattr(schedule, "AsyncIOScheduler", lambda timezone: scheduler)

    async def serve() -> set[str]:
        async with schedule.lifespan():
            return {job.id for job in scheduler.get_jobs()}

    known = {name for name, each in TASKS.items() if "cron" in each.options}
    assert asyncio.run(serve()) == known
    assert not scheduler.running


def test_what_could_not_be_enqueued_is_due_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    minutely = Task("x.y", nothing, signature(nothing), TaskOptions(cron="* * * * *"))
    each = Scheduled(minutely, datetime.now(UTC) - timedelta(minutes=2))
    due = each.due(datetime.now(UTC))

    def down() -> None:
        raise ConnectionError("the database is down")

    monkeypatch.setattr(schedule, "background_tasks", down)
    with pytest.raises(ConnectionError):
        asyncio.run(schedule.enqueue_due(each))
    again = each.due(datetime.now(UTC))
    assert due is not None
    assert again is not None
    assert again >= due

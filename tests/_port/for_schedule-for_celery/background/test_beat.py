"""Beat: it enqueues periods, in the outbox, and runs no task."""

from datetime import UTC, datetime, timedelta
from inspect import signature

import pytest

from app.background import beat
from app.background.celery_app import celery_app
from app.background.periods import LOOK, Scheduled
from app.background.task import TASKS, Task, TaskOptions
from tests.servers import Project, wait_for


@pytest.fixture
def scheduler(migrated: None) -> beat.Beat:
    """Return what `celery beat` starts."""
    import app.background.worker  # noqa: F401  # it installs beat

    assert celery_app.conf.beat_scheduler is beat.Beat
    return beat.Beat(celery_app)


def test_beat_looks_after_every_scheduled_task(scheduler: beat.Beat) -> None:
    known = {name for name, each in TASKS.items() if "cron" in each.options}
    assert {each.task.name for each in scheduler.scheduled} == known
    assert known <= set(celery_app.tasks)


def test_a_task_that_cannot_be_enqueued_stops_no_other_and_is_tried_again(
    scheduler: beat.Beat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[Scheduled] = []

    def fail(each: Scheduled, _now: datetime) -> None:
        tried.append(each)
        raise ConnectionError("the database is down")

    monkeypatch.setattr(beat, "enqueue_due", fail)
    assert 0 < scheduler.tick() <= LOOK.total_seconds()
    scheduler.tick()
    assert tried == scheduler.scheduled * 2
    name = scheduler.scheduled[0].task.name
    assert caplog.messages[0] == f"task {name} could not be enqueued; trying again"


def nothing() -> None:
    """Do nothing."""


def test_what_could_not_be_enqueued_is_due_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night = datetime(2026, 5, 4, 3, tzinfo=UTC)
    nightly = Task("x.y", nothing, signature(nothing), TaskOptions(cron="0 3 * * *"))
    each = Scheduled(nightly, night - timedelta(hours=1))

    def down() -> None:
        raise ConnectionError("the database is down")

    monkeypatch.setattr(beat, "background_tasks", down)
    with pytest.raises(ConnectionError):
        beat.enqueue_due(each, night)
    assert each.due(night) == night



"""Schedules, by a clock that the tests set, under every pattern."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from afterward import Background, task
from afterward.backend import Backend
from afterward.backends.async_ import Async
from afterward.backends.celery_ import Celery
from afterward.backends.safe import Safe
from afterward.backends.simple import Simple
from afterward.database import Database
from afterward.enqueue import BackgroundTasks, task_id_for_key
from afterward.outbox import maintenance
from afterward.outbox.models import now, task_runs
from afterward.schedule import beat, in_process, periods
from afterward.schedule.cron import Cron
from afterward.schedule.periods import MAX_POLL_INTERVAL, ScheduledTask
from afterward.settings import Settings, time_zone
from afterward.tasks import TASKS
from tests.runtime.helpers import AddTask, Outbox, nothing, wait_for

BERLIN = time_zone("Europe/Berlin")
BEFORE_SPRING = datetime(2026, 3, 28, 0, tzinfo=BERLIN)  # on the 29th, 2:00 is 3:00
BEFORE_AUTUMN = datetime(2026, 10, 24, 0, tzinfo=BERLIN)  # on the 25th, 3:00 is 2:00
NIGHT = datetime(2026, 5, 4, 3, tzinfo=UTC)
GRACE = timedelta(hours=1)


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        (
            "30 2 * * *",
            BEFORE_SPRING,
            ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"],
        ),
        (
            "30 2 * * *",
            BEFORE_AUTUMN,
            ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"],
        ),
        (
            "0 0 * * *",
            BEFORE_AUTUMN,
            ["25 00:00 CEST", "26 00:00 CET", "27 00:00 CET"],
        ),
        (
            "0 0 * * 0",
            BEFORE_SPRING,
            ["29 00:00 CET", "05 00:00 CEST", "12 00:00 CEST"],
        ),
        (
            "0 0 * * 7",
            BEFORE_SPRING,
            ["29 00:00 CET", "05 00:00 CEST", "12 00:00 CEST"],
        ),
        (
            "0 0 1 * mon",
            BEFORE_SPRING,
            ["30 00:00 CEST", "01 00:00 CEST", "06 00:00 CEST"],
        ),
    ],
)
def test_moments_are_those_of_cron(
    expression: str, start: datetime, expected: list[str]
) -> None:
    found = islice(Cron(expression, BERLIN).after(start), 3)
    assert [f"{each.astimezone(BERLIN):%d %H:%M %Z}" for each in found] == expected


def test_an_hourly_task_runs_every_hour_also_when_clocks_change() -> None:
    for start in (BEFORE_SPRING, BEFORE_AUTUMN):
        found = list(islice(Cron("30 * * * *", BERLIN).after(start), 40))
        steps = {later - earlier for earlier, later in pairwise(found)}
        assert steps == {timedelta(hours=1)}


@pytest.mark.parametrize("start", [BEFORE_SPRING, BEFORE_AUTUMN])
@pytest.mark.parametrize("expression", ["30 2 * * *", "15 2 * * *", "0 2,3 * * *"])
def test_the_next_moment_does_not_depend_on_who_looks_when(
    expression: str, start: datetime
) -> None:
    cron = Cron(expression, BERLIN)
    known = list(islice(cron.after(start), 6))
    looks = [start.astimezone(UTC) + timedelta(minutes=5 * n) for n in range(500)]
    assert [next(cron.after(look)) for look in looks] == [
        next(moment for moment in known if moment > look) for look in looks
    ]


KNOWN = "Use a name of the IANA database, such as UTC or Europe/Berlin."
FIELDS = "Write minute, hour, day, month and weekday: '0 3 * * *' is every day at 3:00."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cron": "60 * * * *"}, f"cron='60 * * * *'): Bad minute. {FIELDS}"),
        ({"cron": "daily"}, f"cron='daily'): Wrong number of fields. {FIELDS}"),
        ({"cron": "0 0 30 2 *"}, f"cron='0 0 30 2 *'): Bad day-of-month. {FIELDS}"),
        (
            {"cron": "0 0 31 2 mon#6"},
            f"cron='0 0 31 2 mon#6'): Bad day-of-week. {FIELDS}",
        ),
        (
            {"cron": "0 3 * * *", "timezone": "Europe"},
            f"cron='0 3 * * *', timezone='Europe'): 'Europe' is not a time zone. {KNOWN}",
        ),
    ],
)
def test_an_invalid_schedule_is_refused_where_it_is_declared(
    options: Any, message: str
) -> None:
    whole = re.escape("@task('x.y', " + message)
    with pytest.raises(ValueError, match=f"^{whole}$"):
        task("x.y", **options)(nothing)


def test_a_time_zone_alone_is_refused() -> None:
    message = re.escape("@task('x.y'): timezone= needs cron=.")
    with pytest.raises(ValueError, match=f"^{message}$"):
        task("x.y", timezone="UTC")(nothing)


def with_an_argument(number: int) -> None:
    """Do something with an argument."""


def test_a_scheduled_task_takes_no_arguments() -> None:
    message = (
        "@task('x.y', cron='0 3 * * *'): a scheduled task takes no arguments, and this"
        " one takes (number: int) -> None. Let it look for what there is to do."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        task("x.y", cron="0 3 * * *")(with_an_argument)


def test_a_setting_that_is_not_a_time_zone_is_refused() -> None:
    message = re.escape(f"'Mars/Base' is not a time zone. {KNOWN}")
    with pytest.raises(ValueError, match=message):
        Settings(schedule_timezone="Mars/Base")


def test_a_task_without_a_time_zone_takes_that_of_the_setting(
    settings: Settings,
) -> None:
    settings.schedule_timezone = "Asia/Tokyo"
    assert Cron.from_options({"cron": "0 3 * * *"}).zone == time_zone("Asia/Tokyo")
    options = {"cron": "0 3 * * *", "timezone": "UTC"}
    assert Cron.from_options(options).zone == time_zone("UTC")


@pytest.fixture
def every_night(add_task: AddTask) -> Callable[[datetime], ScheduledTask]:
    """Return a function that makes a task which runs at three, UTC."""
    nightly = add_task(name="test.nightly", cron="0 3 * * *", timezone="UTC")
    return lambda since: ScheduledTask(nightly, since, has_keys=True)


EveryNight = Callable[[datetime], ScheduledTask]


def test_a_period_is_due_from_its_start_until_it_is_enqueued(
    every_night: EveryNight,
) -> None:
    scheduled = every_night(NIGHT - timedelta(hours=1))
    assert scheduled.due_period(NIGHT - timedelta(seconds=1)) is None
    assert scheduled.due_period(NIGHT) == NIGHT
    assert scheduled.due_period(NIGHT + timedelta(minutes=1)) == NIGHT
    scheduled.set_enqueued(NIGHT)
    assert scheduled.due_period(NIGHT + timedelta(minutes=1)) is None


def test_of_several_missed_periods_only_the_last_is_due(
    every_night: EveryNight,
) -> None:
    scheduled = every_night(NIGHT - timedelta(days=3, hours=1))
    assert scheduled.due_period(NIGHT + GRACE) == NIGHT


def test_a_period_that_is_missed_for_too_long_is_left_out_and_logged(
    every_night: EveryNight, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled = every_night(NIGHT - timedelta(hours=1))
    late = NIGHT + GRACE + timedelta(seconds=1)
    assert [scheduled.due_period(late), scheduled.due_period(late)] == [None, None]
    message = "task test.nightly missed its period 2026-05-04 03:00:00+00:00"
    assert caplog.messages == [message]
    next_night = NIGHT + timedelta(days=1)
    assert scheduled.due_period(next_night) == next_night


def test_the_next_look_is_at_the_next_period_or_soon(every_night: EveryNight) -> None:
    scheduled = every_night(NIGHT)
    assert scheduled.next_look(NIGHT - timedelta(seconds=2)) == NIGHT
    assert scheduled.next_look(NIGHT) == NIGHT + MAX_POLL_INTERVAL


@pytest.mark.parametrize(
    ("backend", "due"),
    [(Safe(), NIGHT), (Celery, NIGHT), (Simple(), None), (Async(), None)],
)
def test_a_start_enqueues_what_was_missed_if_the_outbox_knows_the_rest(
    backend: Any, due: datetime | None, every_night: EveryNight, settings: Settings
) -> None:
    every_night(NIGHT)
    start = NIGHT + GRACE - timedelta(seconds=1)
    started = backend() if isinstance(backend, type) else backend
    [found] = [
        each
        for each in periods.scheduled_tasks(started, start)
        if each.task.name == "test.nightly"
    ]
    assert found.due_period(start) == due


@pytest.mark.parametrize(
    ("setting", "scheduled"),
    [
        (None, ["test.nightly", "test.tick"]),
        ("test.tick", ["test.tick"]),
        ("test.other, test.nightly", ["test.nightly"]),
        ("none", []),
    ],
)
def test_a_setting_limits_which_tasks_a_process_schedules(
    setting: str | None, scheduled: list[str], add_task: AddTask, settings: Settings
) -> None:
    add_task(with_no_effect, name="test.nightly", cron="0 3 * * *")
    add_task(name="test.tick", cron="* * * * * *")
    settings.schedule_tasks = setting
    found = periods.scheduled_tasks(Safe(), NIGHT)
    assert [each.task.name for each in found] == scheduled
    assert in_process.has_scheduled_tasks() is bool(scheduled)


def application(database: Database, backend: Backend | None = None) -> Background:
    """Return an application with a database."""
    return Background(
        backend or Safe(),
        engine=lambda: database.engine,
        sync_engine=lambda: database.sync_engine,
    )


def test_processes_that_enqueue_a_period_insert_one_row(
    outbox: Outbox, add_task: AddTask
) -> None:
    add_task(name="test.hourly", cron="0 * * * *")
    moment = now()
    period = moment.replace(minute=0, second=0, microsecond=0)
    background = application(outbox.database)
    for _ in range(2):
        [scheduled] = periods.scheduled_tasks(background.backend, moment)
        assert scheduled.due_period(moment) == period
        with background.tasks() as tasks:
            scheduled.add_to(tasks, period)
    key = f"test.hourly@{period.isoformat()}"
    rows = outbox.database.execute(sa.select(task_runs.c.id))
    assert [found.id for found in rows] == [task_id_for_key(key, "test.hourly")]


def test_every_scheduled_task_is_enqueued_while_the_application_serves(
    outbox: Outbox, add_task: AddTask
) -> None:
    add_task(name="test.tick", cron="* * * * * *")
    add_task(with_no_effect, name="test.nightly", cron="0 3 * * *")

    async def serve() -> None:
        async with in_process.run_schedule(application(outbox.database)):
            await asyncio.to_thread(
                wait_for, lambda: len(ticks(outbox)) > 1, "two periods"
            )

    asyncio.run(serve())
    count = len(ticks(outbox))
    asyncio.run(asyncio.sleep(1.1))
    assert len(ticks(outbox)) == count  # nothing outlives the application


def ticks(outbox: Outbox) -> list[Any]:
    """Return the rows of the task that runs every second."""
    return [found for found in outbox.rows() if found.name == "test.tick"]


def raise_error(*_: object) -> None:
    """Fail as a database that is down."""
    raise ConnectionError("the database is down")


def test_a_period_that_could_not_be_enqueued_stays_due(
    every_night: EveryNight, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    moment = now()
    settings.schedule_grace = 86_400
    scheduled = every_night(moment - timedelta(days=1))
    monkeypatch.setattr(BackgroundTasks, "__aexit__", raise_error)
    period = scheduled.due_period(moment)
    assert period is not None
    with pytest.raises(ConnectionError):
        asyncio.run(in_process.enqueue_due_period(Background(Simple()), scheduled))
    assert scheduled.due_period(moment) == period


@pytest.fixture
def scheduler(database: Database, settings: Settings) -> Any:
    """Return what `celery beat` makes."""
    backend = Celery()
    application(database, backend)
    scheduler_class = backend.app.conf.beat_scheduler
    assert issubclass(scheduler_class, beat.BeatScheduler)
    return scheduler_class(backend.app)


def test_beat_enqueues_every_scheduled_task_and_needs_no_broker(
    outbox: Outbox,
    add_task: AddTask,
    settings: Settings,
    database: Database,
) -> None:
    settings.broker_url = "redis://127.0.0.1:1/0"  # nobody listens there
    add_task(name="test.hourly", cron="0 * * * *")
    backend = Celery()
    application(database, backend)
    schedulers = [backend.app.conf.beat_scheduler(backend.app) for _ in range(2)]
    for each in schedulers:
        assert 0 < each.tick() <= MAX_POLL_INTERVAL.total_seconds()
        assert [found.task.name for found in each.scheduled] == ["test.hourly"]
    assert [(found.name, found.state) for found in outbox.rows()] == [
        ("test.hourly", "pending")
    ]


def test_beat_tries_again_and_one_task_stops_no_other(
    add_task: AddTask,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_task(name="test.one", cron="0 * * * *")
    add_task(with_no_effect, name="test.two", cron="0 * * * *")
    backend = Celery()
    application(database, backend)
    scheduler = backend.app.conf.beat_scheduler(backend.app)
    tried: list[str] = []

    def fail(scheduled: ScheduledTask, _now: datetime) -> None:
        tried.append(scheduled.task.name)
        raise ConnectionError("the database is down")

    monkeypatch.setattr(scheduler, "enqueue_due_period", fail)
    assert 0 < scheduler.tick() <= MAX_POLL_INTERVAL.total_seconds()
    scheduler.tick()
    assert tried == ["test.one", "test.two"] * 2
    assert caplog.messages[:2] == [
        "task test.one could not be enqueued; trying again",
        "task test.two could not be enqueued; trying again",
    ]


def with_no_effect() -> None:
    """Do nothing."""


def test_beat_keeps_a_period_due_that_it_could_not_enqueue(
    scheduler: Any, every_night: EveryNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled = every_night(NIGHT - timedelta(hours=1))
    monkeypatch.setattr(BackgroundTasks, "__exit__", raise_error)
    with pytest.raises(ConnectionError):
        scheduler.enqueue_due_period(scheduled, NIGHT)
    assert scheduled.due_period(NIGHT) == NIGHT


def test_beat_prunes_old_rows_every_hour_and_survives_an_error(
    scheduler: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pruned: list[Database] = []

    def prune(database: Database) -> None:
        pruned.append(database)
        raise ConnectionError("the database is down")

    monkeypatch.setattr(maintenance, "prune", prune)
    scheduler.tick()
    scheduler.tick()
    assert len(pruned) == 1
    assert caplog.messages == ["cannot prune old task runs; trying again"]
    scheduler._prune_at -= maintenance.PRUNE_INTERVAL
    scheduler.tick()
    assert len(pruned) == 2


def test_a_task_that_nobody_scheduled_has_no_period(add_task: AddTask) -> None:
    add_task()
    assert "test.run" in TASKS
    assert not in_process.has_scheduled_tasks()
    assert periods.scheduled_tasks(Simple(), now()) == []

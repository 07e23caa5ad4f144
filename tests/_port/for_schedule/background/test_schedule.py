"""Schedules, by a clock that the tests set: the same under every pattern."""

import re
from datetime import UTC, datetime, timedelta
from inspect import signature
from itertools import islice, pairwise
from typing import Any

import pytest

from app.background import task
from app.background.backend import backend
from app.background.cron import Cron, ScheduleSettings, settings, zone
from app.background.periods import LOOK, Scheduled, scheduled
from app.background.task import TASKS, Task, TaskOptions

BERLIN = zone("Europe/Berlin")
BEFORE_SPRING = datetime(2026, 3, 28, 0, tzinfo=BERLIN)  # on the 29th, 2:00 becomes 3:00
BEFORE_AUTUMN = datetime(2026, 10, 24, 0, tzinfo=BERLIN)  # on the 25th, 3:00 becomes 2:00
NIGHT = datetime(2026, 5, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("30 2 * * *", BEFORE_SPRING, ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]),
        ("30 2 * * *", BEFORE_AUTUMN, ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]),
        ("0 0 * * *", BEFORE_AUTUMN, ["25 00:00 CEST", "26 00:00 CET", "27 00:00 CET"]),
        ("0 0 * * 0", BEFORE_SPRING, ["29 00:00 CET", "05 00:00 CEST", "12 00:00 CEST"]),
        ("0 0 * * 7", BEFORE_SPRING, ["29 00:00 CET", "05 00:00 CEST", "12 00:00 CEST"]),
        ("0 0 1 * mon", BEFORE_SPRING, ["30 00:00 CEST", "01 00:00 CEST", "06 00:00 CEST"]),
    ],
)
def test_moments_are_those_of_cron(expression: str, start: datetime, expected: list[str]) -> None:
    found = islice(Cron(expression, BERLIN).after(start), 3)
    assert [f"{moment.astimezone(BERLIN):%d %H:%M %Z}" for moment in found] == expected


def test_an_hourly_task_runs_every_hour_also_in_the_nights_of_the_change() -> None:
    for start in (BEFORE_SPRING, BEFORE_AUTUMN):
        found = list(islice(Cron("30 * * * *", BERLIN).after(start), 40))
        assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


@pytest.mark.parametrize("start", [BEFORE_SPRING, BEFORE_AUTUMN])
@pytest.mark.parametrize("expression", ["30 2 * * *", "15 2 * * *", "0 2,3 * * *"])
def test_whenever_somebody_looks_the_next_moment_is_the_same(
    expression: str, start: datetime
) -> None:
    cron = Cron(expression, BERLIN)
    known = list(islice(cron.after(start), 6))
    looks = [start.astimezone(UTC) + timedelta(minutes=5 * n) for n in range(500)]
    assert [next(cron.after(look)) for look in looks] == [
        next(moment for moment in known if moment > look) for look in looks
    ]


def nothing() -> None:
    """Do nothing."""


def something(number: int) -> None:
    """Do something with an argument."""


KNOWN = "Use a name of the IANA database, such as UTC or Europe/Berlin."
WRITE = "Write minute, hour, day, month and weekday: '0 3 * * *' is every day at 3:00."


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"cron": "60 * * * *"}, f"cron='60 * * * *'): Bad minute. {WRITE}"),
        ({"cron": "daily"}, f"cron='daily'): Wrong number of fields. {WRITE}"),
        ({"cron": "0 0 30 2 *"}, f"cron='0 0 30 2 *'): Bad day-of-month. {WRITE}"),
        ({"cron": "0 0 31 2 mon#6"}, f"cron='0 0 31 2 mon#6'): Bad day-of-week. {WRITE}"),
        (
            {"cron": "0 3 * * *", "timezone": "Europe"},
            f"cron='0 3 * * *', timezone='Europe'): 'Europe' is no time zone. {KNOWN}",
        ),
    ],
)
def test_what_is_no_schedule_is_refused_where_it_stands(options: Any, refusal: str) -> None:
    whole = re.escape("@task('x.y', " + refusal)
    with pytest.raises(ValueError, match=f"^{whole}$"):
        task("x.y", **options)(nothing)


def test_a_time_zone_alone_is_refused() -> None:
    refusal = re.escape("@task('x.y'): timezone= says where cron= counts; there is none.")
    with pytest.raises(ValueError, match=f"^{refusal}$"):
        task("x.y", timezone="UTC")(nothing)


def test_a_scheduled_task_takes_no_arguments() -> None:
    refusal = (
        "@task('x.y', cron='0 3 * * *'): a scheduled task takes no arguments, this one takes"
        " (number: int) -> None. Let it look for what there is to do."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(refusal)}$"):
        task("x.y", cron="0 3 * * *")(something)


def test_a_setting_that_is_no_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape(f"'Mars/Base' is no time zone. {KNOWN}")):
        ScheduleSettings(schedule_timezone="Mars/Base")


def test_a_task_without_a_time_zone_takes_that_of_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "schedule_timezone", "Asia/Tokyo")
    assert Cron.of({"cron": "0 3 * * *"}).zone == zone("Asia/Tokyo")
    assert Cron.of({"cron": "0 3 * * *", "timezone": "UTC"}).zone == zone("UTC")


def every_night(since: datetime) -> Scheduled:
    """Return a task that runs at three, UTC."""
    options = TaskOptions(cron="0 3 * * *", timezone="UTC")
    return Scheduled(Task("x.y", nothing, signature(nothing), options), since)


def test_a_period_is_due_when_it_begins_until_it_is_enqueued() -> None:
    each = every_night(NIGHT - timedelta(hours=1))
    assert each.due(NIGHT - timedelta(seconds=1)) is None
    assert [each.due(NIGHT), each.due(NIGHT + timedelta(minutes=1))] == [NIGHT, NIGHT]
    each.note(NIGHT)
    assert each.due(NIGHT + timedelta(minutes=1)) is None


def test_of_several_missed_periods_only_the_last_is_due() -> None:
    each = every_night(NIGHT - timedelta(days=3, hours=1))
    assert each.due(NIGHT + settings.grace) == NIGHT


def test_a_period_that_is_missed_for_too_long_is_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    each = every_night(NIGHT - timedelta(hours=1))
    late = NIGHT + settings.grace + timedelta(seconds=1)
    assert [each.due(late), each.due(late)] == [None, None]
    assert caplog.messages == ["task x.y missed its period 2026-05-04 03:00:00+00:00"]
    assert each.due(NIGHT + timedelta(days=1)) == NIGHT + timedelta(days=1)


def test_the_next_look_is_at_the_next_period_or_soon() -> None:
    each = every_night(NIGHT)
    assert each.next_look(NIGHT - timedelta(seconds=2)) == NIGHT
    assert each.next_look(NIGHT) == NIGHT + LOOK


def test_who_starts_makes_good_what_was_missed_where_an_outbox_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each = every_night(NIGHT)
    monkeypatch.setitem(TASKS, "x.y", each.task)
    start = NIGHT + settings.grace - timedelta(seconds=1)
    [starting] = [each for each in scheduled(start) if each.task.name == "x.y"]
    assert starting.due(start) == (NIGHT if "key" in backend.supports else None)

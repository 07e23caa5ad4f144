"""Schedules: which cron expressions and time zones are accepted."""

import time
from datetime import UTC, datetime

import pytest
from cronsim import CronSim

from bgscaffold.add_task import cron
from bgscaffold.add_task.errors import (
    CronError,
    TimezoneError,
    TimezoneWithoutCronError,
)
from tests import helpers
from tests.generator.conftest import Outcome, Run


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "* * * * *",
            "0 3 * * *",
            "*/5 0-6/2 1,15 jan-MAR,12 mon-fri",
            "59 23 31 12 6",
        ),
        *("0 0 1 1 0", "0 0 * * 7", "0 0 L * *", "0 0 * * fri#2", "5/10 * * * *"),
        *("30 0 3 * * *", "0 0 29 2 *", "0 0 30 2 mon", f"*/{'9' * 4000} * * * *"),
    ],
)
def test_valid_expressions(expression: str) -> None:
    assert cron.validate_schedule(expression, None) == (expression, "")


def test_spaces_are_normalized() -> None:
    assert cron.validate_schedule("  0  3 *\t* * ", "UTC") == ("0 3 * * *", "UTC")


def test_a_schedule_is_optional() -> None:
    assert cron.validate_schedule(None, None) == ("", "")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "Wrong number of fields"),
        (" ", "Wrong number of fields"),
        ("0 3 * *", "Wrong number of fields"),
        ("0 0 3 * * * *", "Wrong number of fields"),
        ("@daily", "Wrong number of fields"),
        ("60 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("* * 0 * *", "Bad day-of-month"),
        ("* * * 13 *", "Bad month"),
        ("* * * * 8", "Bad day-of-week"),
        ("* * * * fro", "Bad day-of-week"),
        ("*/0 * * * *", "Bad minute"),
        ("9-5 * * * *", "Bad minute"),
        ("1,,2 * * * *", "Bad minute"),
        ("-1 * * * *", "Bad minute"),
        ('0" * * * *', "Bad minute"),
        ("\u0661 * * * *", "Bad minute"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 */31 2 1#5", "no such day exists"),
        (f"{'9' * 5000} * * * *", "a number is too long"),
    ],
)
def test_invalid_expressions(expression: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(CronError) as refused:
        cron.validate_schedule(expression, None)
    assert (refused.value.value, refused.value.reason) == (expression, reason)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L * *", ["Jan 31", "Feb 28", "Mar 31"]),
        ("0 0 LW * *", ["Jan 30", "Feb 27", "Mar 31"]),
        ("0 0 * * fri#2", ["Jan 09", "Feb 13", "Mar 13"]),
        ("0 0 * * 5L", ["Jan 30", "Feb 27", "Mar 27"]),
    ],
)
def test_the_last_and_the_nth_day(expression: str, days: list[str]) -> None:
    assert cron.validate_schedule(expression, None) == (expression, "")
    moments = CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    assert [f"{next(moments):%b %d}" for _ in range(3)] == days


@pytest.mark.parametrize(
    "zone", ["localtime", "posixrules", "Factory", "posix/Europe/Berlin", "right/UTC"]
)
def test_a_time_zone_that_differs_between_hosts(zone: str) -> None:
    with pytest.raises(TimezoneError) as refused:
        cron.validate_schedule("0 3 * * *", zone)
    assert refused.value.value == zone
    assert refused.value.reason == "it is not the same on every host"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"])
def test_a_time_zone(zone: str) -> None:
    assert cron.validate_schedule("0 3 * * *", zone) == ("0 3 * * *", zone)


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Europe",
        "Europe/Bärlin",
        "Mars/Phobos",
        "../UTC",
        "/etc/passwd",
        "x\0",
        "Z" * 5000,
        '"',
    ],
)
def test_an_unknown_time_zone(zone: str) -> None:
    with pytest.raises(TimezoneError) as refused:
        cron.validate_schedule("0 3 * * *", zone)
    assert refused.value.value == zone


def test_a_time_zone_needs_a_schedule() -> None:
    with pytest.raises(TimezoneWithoutCronError):
        cron.validate_schedule(None, "UTC")


NO_CRON = (
    "Not a valid cron expression: '' (Wrong number of fields).\n"
    "Use five fields (minute hour day month weekday), or six with seconds first; each"
    " is `*`, a number, a range `a-b`, a step `*/n` or a comma-separated list. Months"
    " and weekdays have names too (jan, mon). A day can be L, the last one, or LW, the"
    " last weekday; a weekday can be fri#2, the second one, or 5L, the last one. For"
    " example, '0 3 * * *' is every night at three.\n"
)
NO_ZONE = (
    "Not a time zone: 'Mars'.\n"
    "Use a name of the IANA database, such as Europe/Berlin, or leave out --timezone"
    " to use SCHEDULE_TIMEZONE.\n"
)
ALONE = (
    "--timezone needs --cron: 'UTC'.\n"
    "Leave out --timezone, or add a schedule, such as --cron '0 3 * * *'.\n"
)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--cron", ""], 1, NO_CRON),
        (["--cron", "0 3 * * *", "--timezone", "Mars"], 1, NO_ZONE),
        (["--timezone", "UTC"], 2, ALONE),
    ],
)
def test_messages(options: list[str], code: int, message: str, run: Run) -> None:
    assert run("add", "task", "a.b", *options) == Outcome(code, "", message)


def test_projects_use_the_same_library() -> None:
    own, theirs = (
        (helpers.ROOT / file).read_text(encoding="utf-8")
        for file in ("pyproject.toml", "template/pyproject.toml.jinja")
    )
    for line in ('"cronsim>=2.7,<3",', '"tzdata>=2025.2",'):
        assert line in own
        assert line in theirs

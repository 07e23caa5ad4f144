"""Cron expressions."""

import pytest

from bgscaffold import cron
from bgscaffold.errors import BadCron


@pytest.mark.parametrize(
    "expression",
    ["* * * * *", "0 3 * * *", "*/5 0-6/2 1,15 jan-MAR,12 mon-fri", "59 23 31 12 6", "0 0 1 1 0"],
)
def test_what_means_something(expression: str) -> None:
    assert cron.check(expression) == expression


def test_blanks_are_single_afterwards() -> None:
    assert cron.check("  0  3 *\t* * ") == "0 3 * * *"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "0 fields instead of 5"),
        ("0 3 * *", "4 fields instead of 5"),
        ("0 3 * * * *", "6 fields instead of 5"),
        ("@daily", "1 fields instead of 5"),
        ("60 * * * *", "minute '60'"),
        ("* 24 * * *", "hour '24'"),
        ("* * 0 * *", "day '0'"),
        ("* * * 13 *", "month '13'"),
        ("* * * * 7", "weekday '7'"),
        ("* * * * fro", "weekday 'fro'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("*/60 * * * *", "minute '*/60'"),
        ("5/10 * * * *", "minute '5/10'"),
        ("9-5 * * * *", "minute '9-5'"),
        ("1,,2 * * * *", "minute '1,,2'"),
        ("-1 * * * *", "minute '-1'"),
        ('0" * * * *', "minute '0\"'"),
        ("\u0661 * * * *", "minute '\u0661'"),
    ],
)
def test_what_means_nothing(expression: str, reason: str) -> None:
    with pytest.raises(BadCron) as refused:
        cron.check(expression)
    assert refused.value.reason == reason

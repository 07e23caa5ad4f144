"""Validation of schedules, with the library that projects read them with."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bgscaffold.add_task.errors import (
    CronError,
    TimezoneError,
    TimezoneWithoutCronError,
)

# Installed beside the time zones, and different on each host.
HOST_SPECIFIC = frozenset(["localtime", "posixrules", "Factory", "posix", "right"])


def validate_schedule(expression: str | None, timezone: str | None) -> tuple[str, str]:
    """Return a cron expression and its time zone, each '' if it is not given."""
    if expression is not None:
        validate_cron(expression)
    if timezone is not None:
        if expression is None:
            raise TimezoneWithoutCronError(timezone)
        validate_timezone(timezone)
    return " ".join((expression or "").split()), timezone or ""


def validate_cron(expression: str) -> None:
    """Require a cron expression that has a next time."""
    from cronsim import CronSim, CronSimError  # here, because few tasks have a schedule

    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        raise CronError(expression, str(error)) from error
    except StopIteration as error:
        raise CronError(expression, "no such day exists") from error
    except ValueError as error:  # Python reads at most 4,300 digits
        raise CronError(expression, "a number is too long") from error


def validate_timezone(timezone: str) -> None:
    """Require a time zone that is the same on every host."""
    if timezone.split("/")[0] in HOST_SPECIFIC:
        raise TimezoneError(timezone, "it is not the same on every host")
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:  # OSError: "Europe" is a folder
        raise TimezoneError(timezone) from error

"""When a task runs: read by the library and by the rules that the projects read it with."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bgscaffold.add_task.errors import (
    CronError,
    TimezoneError,
    TimezoneWithoutCronError,
)

# What stands beside the zones, where they are installed.
HOST_SPECIFIC = {"localtime", "posixrules", "Factory", "posix", "right"}


def validate_schedule(expression: str | None, timezone: str | None) -> tuple[str, str]:
    """Return a cron expression and its time zone, '' for what is not given, or refuse them."""
    if expression is not None:
        validate_cron(expression)
    if timezone is not None:
        validate_timezone(timezone, alone=expression is None)
    return " ".join((expression or "").split()), timezone or ""


def validate_cron(expression: str) -> None:
    """Refuse a cron expression that names no moment."""
    from cronsim import CronSim, CronSimError  # here, for most tasks have no schedule

    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        raise CronError(expression, str(error)) from error
    except StopIteration as error:
        raise CronError(expression, "there is no such day") from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise CronError(expression, "a number is too long") from error


def validate_timezone(timezone: str, *, alone: bool) -> None:
    """Refuse a time zone that is not the same everywhere, and one without a cron expression."""
    if alone:
        raise TimezoneWithoutCronError(timezone)
    if timezone.split("/")[0] in HOST_SPECIFIC:
        raise TimezoneError(timezone, "it is not the same on every host")
    try:
        ZoneInfo(timezone)
    except (
        KeyError,
        ValueError,
        OSError,
    ) as error:  # OSError: "Europe" is a folder of names
        raise TimezoneError(timezone) from error

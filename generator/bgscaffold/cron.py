"""When a task runs: read by the library and by the rules that the projects read it with."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bgscaffold.errors import BadCron, BadTimezone, TimezoneAlone

# What stands beside the zones, where they are installed.
OF_THIS_HOST = {"localtime", "posixrules", "Factory", "posix", "right"}


def schedule(expression: str | None, timezone: str | None) -> tuple[str, str]:
    """Return a cron expression and its time zone, '' for what is not given, or refuse them."""
    if expression is not None:
        refuse_never(expression)
    if timezone is not None:
        refuse_nowhere(timezone, alone=expression is None)
    return " ".join((expression or "").split()), timezone or ""


def refuse_never(expression: str) -> None:
    """Refuse a cron expression that names no moment."""
    from cronsim import CronSim, CronSimError  # here, for most tasks have no schedule

    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        raise BadCron(expression, str(error)) from error
    except StopIteration as error:
        raise BadCron(expression, "there is no such day") from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise BadCron(expression, "a number is too long") from error


def refuse_nowhere(timezone: str, *, alone: bool) -> None:
    """Refuse a time zone that is not the same everywhere, and one without a cron expression."""
    if alone:
        raise TimezoneAlone(timezone)
    if timezone.split("/")[0] in OF_THIS_HOST:
        raise BadTimezone(timezone, "it is not the same on every host")
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:  # OSError: "Europe" is a folder of names
        raise BadTimezone(timezone) from error

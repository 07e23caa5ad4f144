"""Errors of `bgscaffold add task`."""

from bgscaffold.errors import BgscaffoldError


class TaskNameError(BgscaffoldError):
    """What should be DOMAIN.NAME cannot be a domain and a function."""

    what = "Not a task name"
    allowed = (
        "DOMAIN.NAME, each 1 to 30 of a-z, 0-9 and _, first a letter; no keyword or builtin of Python,"
        " no module of app/ or tests/, no name that the generated code needs itself or that means"
        " something to pytest, no device of Windows"
    )
    remedy = "choose another name, such as invoices.send_reminder"


class NameTakenError(BgscaffoldError):
    """A name that would be defined is defined already; nothing was changed."""

    what = "The name is taken"
    allowed = "a name that nothing has yet"
    remedy = "choose another name, or rename what has it"


class TestFileExistsError(BgscaffoldError):
    """A file that would be written is there already; nothing was changed."""

    what = "The file is there already"
    allowed = "a test file that does not exist yet"
    remedy = "choose another name, or move the file away"


class RouteTakenError(BgscaffoldError):
    """Another route has the path already; nothing was changed."""

    what = "Another route has this path already"
    allowed = "a path that no router of app/ has"
    remedy = "choose another name, or leave out --route and write the route yourself"


class UnsupportedRouterError(BgscaffoldError):
    """Nobody can tell from a router's code where and how its routes answer; nothing was changed."""

    what = "Cannot tell what a route of this router would do"
    allowed = (
        "one router = APIRouter(...) of fastapi at the top of the module, its prefix a plain path or a"
        " constant of the module, without parameters; no dependencies, which may ask for more"
    )
    remedy = "leave out --route and write the route yourself, or write the router so"


class UneditableFileError(BgscaffoldError):
    """A file cannot be added to without a risk to what stands in it; nothing was changed."""

    what = "Cannot add to the file"
    allowed = "a Python file that may be written, without a syntax error, as the formatter leaves it"
    remedy = (
        "mend the file, or run `uv run poe format`, then run the same command again"
    )


class CronError(BgscaffoldError):
    """The value of --cron names no moment."""

    what = "Not a cron expression"
    allowed = (
        "minute hour day month weekday, or six fields, of which the first is the second: *, a number,"
        " a-b, */n, a-b/n, or several with commas; jan to dec, sun to sat; L for the last day of the month,"
        " LW for its last from mon to fri, fri#2 for its second, 5L for its last friday;"
        " on a day that there is"
    )
    remedy = "correct it, for instance '0 3 * * *' for every night at three"


class TimezoneError(BgscaffoldError):
    """The value of --timezone is no time zone."""

    what = "Not a time zone"
    allowed = "a name of the IANA database, as Python's zoneinfo knows it"
    remedy = "correct it, for instance Europe/Berlin, or leave out --timezone for SCHEDULE_TIMEZONE"


class TimezoneWithoutCronError(BgscaffoldError):
    """--timezone stands without --cron."""

    exit_code = 2
    what = "--timezone says where --cron counts, but there is no --cron"
    allowed = "--timezone with --cron"
    remedy = "leave out --timezone, or say when it runs: --cron '0 3 * * *'"


class SchedulesMissingError(BgscaffoldError):
    """--cron was asked of a project that has no schedule."""

    what = "This project cannot run tasks by the clock"
    allowed = "--cron in a project with schedules"
    remedy = (
        "leave out --cron, or bring the schedules: bgscaffold update --with-schedule"
    )

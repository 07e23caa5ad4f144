"""Errors of `bgscaffold add task`."""

from bgscaffold.errors import BgscaffoldError


class TaskNameError(BgscaffoldError):
    """The argument cannot be the name of a task."""

    what = "Not a valid task name"
    allowed = (
        "A task name is DOMAIN.NAME. Each part has 1 to 30 characters of a-z, 0-9 and"
        " _, and starts with a letter."
    )
    remedy = "Choose another name, such as invoices.send_reminder."


class NameTakenError(BgscaffoldError):
    """The project already uses the name for something else."""

    what = "The name is already taken"
    remedy = "Choose another name, or rename what uses it."


class FileAlreadyExistsError(BgscaffoldError):
    """A file that the command creates already exists."""

    what = "The file already exists"
    remedy = "Choose another name, or move the file away."


class UneditableFileError(BgscaffoldError):
    """The command cannot change this file safely."""

    what = "Cannot write to the file"
    remedy = "Fix the file and run the command again."


class RouteTakenError(BgscaffoldError):
    """Another route matches some of the same requests."""

    what = "Another route already matches this path"
    remedy = "Choose another name, or leave out --route and write the route yourself."


class UnsupportedRouterError(BgscaffoldError):
    """The code of the domain's router does not show how its routes behave."""

    what = "Cannot add a route beside this router"
    allowed = (
        "The new route needs a router of its own, with the same prefix. So the domain's"
        " router must be one module-level `router = APIRouter(...)` whose prefix is a"
        " literal path or a constant of the module, without path parameters and without"
        " dependencies."
    )
    remedy = "Leave out --route, and write the route yourself."


class CronError(BgscaffoldError):
    """The value of --cron is not a cron expression."""

    what = "Not a valid cron expression"
    allowed = (
        "Use five fields (minute hour day month weekday), or six with seconds first;"
        " each is `*`, a number, a range `a-b`, a step `*/n` or a comma-separated list."
        " Months and weekdays have names too (jan, mon). A day can be L, the last one,"
        " or LW, the last weekday; a weekday can be fri#2, the second one, or 5L, the"
        " last one."
    )
    remedy = "For example, '0 3 * * *' is every night at three."


class TimezoneError(BgscaffoldError):
    """The value of --timezone is not a time zone."""

    what = "Not a time zone"
    remedy = (
        "Use a name of the IANA database, such as Europe/Berlin, or leave out"
        " --timezone to use SCHEDULE_TIMEZONE."
    )


class TimezoneWithoutCronError(BgscaffoldError):
    """--timezone was given without --cron."""

    exit_code = 2
    what = "--timezone needs --cron"
    remedy = "Leave out --timezone, or add a schedule, such as --cron '0 3 * * *'."


class SchedulesMissingError(BgscaffoldError):
    """--cron was given in a project without schedules."""

    what = "This project has no schedules"
    remedy = "Add them with `bgscaffold update --with-schedule`, or leave out --cron."

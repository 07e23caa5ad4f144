"""What bgscaffold refuses: one class each, saying what, the value, what is allowed, the remedy."""

from typing import ClassVar


def is_interrupt(error: BaseException | None) -> bool:
    """Tell whether Ctrl-C is behind an error, as Python wraps it while a class is being made."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


class Refusal(Exception):
    """A request that is turned down, or work that could not be finished."""

    exit_code: ClassVar[int] = 1
    what: ClassVar[str]
    allowed: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, value: str, reason: str = "") -> None:
        super().__init__(value, reason)
        self.value = value
        self.reason = reason

    def __str__(self) -> str:
        because = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.what}: {self.value!r}{because}\n"
            f"  allowed: {self.allowed}\n"
            f"  remedy:  {self.remedy}"
        )

    def as_dict(self) -> dict[str, str]:
        """Return the same facts for `--json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "value": self.value,
            "reason": self.reason,
            "allowed": self.allowed,
            "remedy": self.remedy,
        }


class BadName(Refusal):
    """The last part of the path cannot be the name of a project."""

    what = "Not a project name"
    allowed = (
        "1 to 63 of a-z, 0-9, - and _, first a letter, last a letter or a digit;"
        " no Python keyword, no device name of Windows, no package that the project depends on"
    )
    remedy = "choose another last part for the path, such as my-app"


class WrongUsage(Refusal):
    """The command line holds what no command takes, or lacks what it needs."""

    exit_code = 2
    what = "Cannot read the command line"
    allowed = "what `bgscaffold --help` and `bgscaffold COMMAND --help` list"
    remedy = "correct what is named, then run it again"


class PatternsDisagree(Refusal):
    """`--with-celery` stands beside another pattern."""

    exit_code = 2
    what = "--with-celery is the same as --pattern celery, but another pattern was given"
    allowed = "one of the two"
    remedy = "leave out --with-celery, or --pattern"


class NotEmpty(Refusal):
    """The folder to create holds something already."""

    what = "The folder is not empty"
    allowed = (
        "a folder that does not exist yet, or an empty one (one with only .git counts as full)"
    )
    remedy = "choose another path, or move away what the folder holds"


class NotAFolder(Refusal):
    """Something that is not a folder stands where the project should go."""

    what = "The path is not a folder"
    allowed = "a folder that does not exist yet, or an empty one"
    remedy = "choose another path, or move away what is there"


class CannotWrite(Refusal):
    """The system did not let the project be written; nothing of it is left."""

    what = "Cannot write the project"
    allowed = "a folder you may write to, on a disk with room"
    remedy = "free some space or choose another path, then run the same command again"


class GitMissing(Refusal):
    """Git is not on PATH."""

    what = "Cannot find git on PATH"
    allowed = "git 2.31 or newer"
    remedy = "install git from https://git-scm.com/downloads or your package manager"


class GitTooOld(Refusal):
    """Git is older than the configuration that bgscaffold passes to it."""

    what = "This git is too old"
    allowed = "git 2.31 or newer"
    remedy = "install a newer git from https://git-scm.com/downloads"


class GitFailed(Refusal):
    """A git command ended with an error."""

    what = "A git command failed"
    allowed = "an exit code of 0"
    remedy = "mend what git names, or make room on the disk, then run the same command again"


class TemplateMissing(Refusal):
    """The installation holds neither a bundle nor a repository to render from."""

    what = "Cannot find the template of bgscaffold"
    allowed = "an installed wheel, or an editable checkout"
    remedy = "install bgscaffold again: python3 -m pip install --force-reinstall bgscaffold"


class RenderFailed(Refusal):
    """Copier could not render the template."""

    what = "Cannot render the template"
    allowed = "a template that renders with these answers"
    remedy = "this is a fault of bgscaffold: please report it with the line above"


class UvMissing(Refusal):
    """`--install` needs uv, which is not on PATH; nothing was created."""

    what = "Cannot find what --install needs on PATH"
    allowed = "uv"
    remedy = (
        "install uv with `python3 -m pip install uv` or `pipx install uv`, or leave out --install"
    )


class InstallFailed(Refusal):
    """The project is there, but its dependencies are not."""

    what = "The project is created, but `uv sync` failed in it"
    allowed = "an exit code of 0"
    remedy = "see uv's own words above, then run `uv sync` in that folder"


class NoFolder(Refusal):
    """The folder that the user stands in has been removed."""

    what = "The folder that you stand in is gone"
    allowed = "a folder that is there"
    remedy = "go to another folder, then run the same command again"


class NotAProject(Refusal):
    """The folder is not in a project that bgscaffold has made."""

    what = "Not a project of bgscaffold"
    allowed = "a folder of a project that `bgscaffold new` or `copier copy` has made"
    remedy = "go into the project, or name its folder"


class BadTaskName(Refusal):
    """What should be DOMAIN.NAME cannot be a domain and a function."""

    what = "Not a task name"
    allowed = (
        "DOMAIN.NAME, each 1 to 30 of a-z, 0-9 and _, first a letter; no keyword or builtin of Python,"
        " no module of app/ or tests/, no name that the generated code needs itself or that means"
        " something to pytest, no device of Windows"
    )
    remedy = "choose another name, such as invoices.send_reminder"


class NameTaken(Refusal):
    """A name that would be defined is defined already; nothing was changed."""

    what = "The name is taken"
    allowed = "a name that nothing has yet"
    remedy = "choose another name, or rename what has it"


class FileTaken(Refusal):
    """A file that would be written is there already; nothing was changed."""

    what = "The file is there already"
    allowed = "a test file that does not exist yet"
    remedy = "choose another name, or move the file away"


class RouteTaken(Refusal):
    """Another route has the path already; nothing was changed."""

    what = "Another route has this path already"
    allowed = "a path that no router of app/ has"
    remedy = "choose another name, or leave out --route and write the route yourself"


class RouterUnclear(Refusal):
    """Nobody can tell from a router's code where and how its routes answer; nothing was changed."""

    what = "Cannot tell what a route of this router would do"
    allowed = (
        "one router = APIRouter(...) of fastapi at the top of the module, its prefix a plain path or a"
        " constant of the module, without parameters; no dependencies, which may ask for more"
    )
    remedy = "leave out --route and write the route yourself, or write the router so"


class CannotEdit(Refusal):
    """A file cannot be added to without a risk to what stands in it; nothing was changed."""

    what = "Cannot add to the file"
    allowed = (
        "a Python file that may be written, without a syntax error, as the formatter leaves it"
    )
    remedy = "mend the file, or run `uv run poe format`, then run the same command again"


class ChangedMeanwhile(Refusal):
    """Somebody else has written a file since it was read; nothing was changed."""

    what = "Somebody else has just changed the file"
    allowed = "one who writes at a time"
    remedy = "run the same command again"


class AtWork(Refusal):
    """Another command is changing what is in the folder, and does not end."""

    what = "Another bgscaffold is at work in this folder"
    allowed = "one at a time; this one has waited"
    remedy = "let the other one end, or end it, then run the same command again"


class CannotAdd(Refusal):
    """The system did not let the files be written; all are as they were."""

    what = "Cannot write the files, nothing was changed"
    allowed = "a project you may write to, on a disk with room"
    remedy = "free some space or mend the permissions, then run the same command again"


class BadCron(Refusal):
    """The value of --cron names no moment."""

    what = "Not a cron expression"
    allowed = (
        "minute hour day month weekday, or six fields, of which the first is the second: *, a number,"
        " a-b, */n, a-b/n, or several with commas; jan to dec, sun to sat; L for the last day of the month,"
        " LW for its last from mon to fri, fri#2 for its second, 5L for its last friday;"
        " on a day that there is"
    )
    remedy = "correct it, for instance '0 3 * * *' for every night at three"


class BadTimezone(Refusal):
    """The value of --timezone is no time zone."""

    what = "Not a time zone"
    allowed = "a name of the IANA database, as Python's zoneinfo knows it"
    remedy = "correct it, for instance Europe/Berlin, or leave out --timezone for SCHEDULE_TIMEZONE"


class TimezoneAlone(Refusal):
    """--timezone stands without --cron."""

    exit_code = 2
    what = "--timezone says where --cron counts, but there is no --cron"
    allowed = "--timezone with --cron"
    remedy = "leave out --timezone, or say when it runs: --cron '0 3 * * *'"


class NoSchedule(Refusal):
    """--cron was asked of a project that has no schedule."""

    what = "This project cannot run tasks by the clock"
    allowed = "--cron in a project with schedules"
    remedy = "leave out --cron, or bring the schedules: bgscaffold update --with-schedule"


class Interrupted(Refusal):
    """Ctrl-C or SIGTERM came before the project was in its place."""

    exit_code = 130  # what a shell expects of a program that Ctrl-C has ended
    what = "Interrupted, nothing was created"
    allowed = "to let it finish"
    remedy = "run the same command again"


class TaskNeedsMore(Refusal):
    """Tasks or calls ask for what the pattern to promote to cannot do."""

    what = "The code asks for what the pattern cannot do"
    allowed = "only options that the pattern supports, in @task(...) and in .options(...)"
    remedy = "remove them from the code and commit that, or choose a pattern that can: safe, celery"

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
    """Another command is adding to the project, and does not end."""

    what = "Another bgscaffold is adding to this project"
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
        " a-b, */n, a-b/n, or several with commas; jan to dec, sun to sat; on a day that there is"
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


# ---- promote and update --------------------------------------------------------------------------
class EvolveInterrupted(Refusal):
    """Ctrl-C or SIGTERM came before promote or update had touched the project."""

    exit_code = 130
    what = "Interrupted, nothing was changed"
    allowed = "to let it finish"
    remedy = "run the same command again"


class AnswersUnreadable(Refusal):
    """The answers file is not as Copier writes it."""

    what = "Cannot use the recorded answers"
    allowed = "the file as bgscaffold or Copier wrote it, with _commit, pattern and project_name"
    remedy = "take it from the history: git log -- .copier-answers.yml, git checkout COMMIT -- .copier-answers.yml"


class NotInGit(Refusal):
    """The project lies in no git repository, so nothing could be merged or undone."""

    what = "The project lies in no git repository"
    allowed = "a repository with the project committed: what is merged can be undone then"
    remedy = "git init, git add --all, git commit -m before, then run the same command again"


class NotCommitted(Refusal):
    """The repository has no commit that holds the project."""

    what = "The project is in no commit yet"
    allowed = "a repository with the project committed: what is merged can be undone then"
    remedy = "git add --all, git commit -m before, then run the same command again"


class Unfinished(Refusal):
    """The repository is in the middle of something else."""

    what = "The repository is in the middle of something else"
    allowed = "a repository at rest"
    remedy = "finish it or end it (git status says how), then run the same command again"


class NotClean(Refusal):
    """Tracked files hold changes that are not committed, which undoing would lose."""

    what = "Tracked files hold changes that are not committed"
    allowed = "no uncommitted change anywhere in the repository: undoing would lose it"
    remedy = "git commit --all, or git stash, then run the same command again"


class Overlooked(Refusal):
    """Git was told to overlook changes of files in the project, so it could not give them back."""

    what = "Git was told to overlook files of the project, and changes in them would be lost"
    allowed = "no file of the project marked assume-unchanged or skip-worktree"
    remedy = (
        "git update-index --no-assume-unchanged --no-skip-worktree FILE, or git sparse-checkout"
        " disable; then commit what git status shows, and run the same command again"
    )


class InTheWay(Refusal):
    """Files that git does not track stand where new ones have to go."""

    what = "Files that git does not track stand where new ones have to go"
    allowed = "these paths free, or tracked by git"
    remedy = "move them, remove them or commit them, then run the same command again"


class CannotForesee(Refusal):
    """`--dry-run` needs a git that merges without touching anything."""

    what = "This git is too old for --dry-run"
    allowed = "git 2.38 or newer"
    remedy = (
        "install a newer git from https://git-scm.com/downloads, or run it without --dry-run:"
        " git reset --hard undoes it"
    )


class UnknownOrigin(Refusal):
    """The project was made from a version that this bgscaffold does not hold."""

    what = "The project was made from a version that this bgscaffold does not know"
    allowed = "the versions up to that of bgscaffold itself"
    remedy = (
        "upgrade bgscaffold: uv tool upgrade bgscaffold, or python3 -m pip install --upgrade"
        " bgscaffold; for a project that a checkout made, run the bgscaffold of that checkout"
    )


class UnknownVersion(Refusal):
    """`--to` names a version that this bgscaffold does not hold."""

    what = "This bgscaffold does not know the version"
    allowed = "one of the versions named above"
    remedy = "choose one of them, or upgrade bgscaffold for a newer one"


class OverlayUnknown(Refusal):
    """`update` was asked to add what the version to reach does not have."""

    what = "The version to update to does not have what was asked for"
    allowed = "a version of the template whose copier.yml asks for it"
    remedy = "leave out --to, or name a newer version there, or upgrade bgscaffold"


class Downgrade(Refusal):
    """`update` was asked to go back to an older version."""

    what = "The project is newer than the version to update to"
    allowed = "the version of the project, or a newer one"
    remedy = "upgrade bgscaffold; to go back, revert the commit of the update instead"


class TaskNeedsMore(Refusal):
    """Tasks or calls ask for what the pattern to promote to cannot do."""

    what = "The code asks for what the pattern cannot do"
    allowed = "only options that the pattern supports, in @task(...) and in .options(...)"
    remedy = "remove them from the code and commit that, or choose a pattern that can: safe, celery"


class Locked(Refusal):
    """A git is at work in the repository, or one that was killed has left its lock."""

    what = "Another git command is at work in the repository"
    allowed = "a repository at rest, without this file"
    remedy = "wait until it has ended; if none runs any more, remove the file; then run the same command again"


class CannotChange(Refusal):
    """The system does not let a folder be changed that the merge has to change."""

    what = "Cannot change what these folders hold"
    allowed = "folders of the project that you may write to"
    remedy = "mend their permissions, then run the same command again"


class MergeFailed(Refusal):
    """Git stopped in the middle of the merge, for instance because the disk is full."""

    what = "The merge could not be finished, and all is as it was before"
    allowed = "files that git can write, on a disk with room"
    remedy = "mend what is named, then run the same command again"


class HalfMerged(Refusal):
    """A merge stopped in the middle, and what it had done could not be taken back."""

    what = "The merge could not be finished, and not all of it could be taken back"
    allowed = "files that git can write, on a disk with room"
    remedy = (
        "mend what is named, then git reset --hard, and remove what git status shows as untracked"
        " and new"
    )

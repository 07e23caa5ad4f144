"""The user's repository that a project lies in, at rest before anything is merged into it."""

import os
import posixpath
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bgscaffold.git.client import command_error, env_without_git, isolated_env, run_git
from bgscaffold.git.errors import (
    BareRepositoryError,
    HiddenChangesError,
    NoRepositoryError,
    OperationInProgressError,
    ProjectNotCommittedError,
    RepositoryLockedError,
    UncommittedChangesError,
    UnresolvedConflictsError,
    WorkTreeElsewhereError,
)
from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.system.processes import run_with_timeout

# His configuration counts in his repository: line endings, filters, ignored files, the style of
# conflicts. What could change a merge, or run something of his in the middle of it, does not.
CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "diff.noprefix": "false",
    "maintenance.auto": "false",
    "merge.directoryRenames": "true",  # what is new follows a folder that he has renamed
    "merge.renames": "true",
    "merge.renameLimit": "7000",
    "rerere.enabled": "false",
}
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "bgscaffold"),
        ("EMAIL", "bgscaffold@localhost"),
        (
            "DATE",
            "2026-01-01T00:00:00Z",
        ),  # fixed, so that the same merge makes the same objects
    )
}
PLACES = ("--show-toplevel", "--absolute-git-dir", "--show-prefix")
LITERAL = "--literal-pathspecs"
UNMERGED = ("ls-files", "--unmerged", "-z")
TIMEOUT = 10.0  # seconds for a git that only reads its index
OPERATIONS = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase, or git am",
    "sequencer": "a cherry-pick or a revert of several commits",
}


@dataclass(frozen=True)
class Repository:
    """A repository with a work tree, and where in it the project lies."""

    root: Path
    git_dir: Path
    prefix: str  # of the project's paths: empty, or it ends with a slash
    env: dict[str, str]

    def git(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> str:
        """Run a git command that must succeed, and return what it printed."""
        done = self.call(*arguments, stdin=stdin, env=env)
        if done.returncode:
            raise command_error(done)
        return done.stdout

    def call(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a git command at the root, where no Ctrl-C reaches it: it may be in mid-merge."""
        return run_git(
            *arguments,
            cwd=self.root,
            env=self.env | (env or {}),
            stdin=stdin,
            alone=True,
        )

    @property
    def objects(self) -> Path:
        """Return where it keeps its objects, which linked work trees share."""
        return self.root / self.git("rev-parse", "--git-path", "objects").removesuffix(
            "\n"
        )

    def shown(self, path: str) -> str:
        """Return a path of the repository as it is called from the project's folder."""
        return posixpath.relpath(f"/{path}", f"/{self.prefix}")

    def tracks(self, path: str) -> bool:
        """Tell whether git tracks a file of the project."""
        return bool(self.git(LITERAL, "ls-files", "-z", "--", f"{self.prefix}{path}"))

    def beside(self, objects: Path) -> "Repository":
        """Return the same repository, with a folder elsewhere for what is written into it."""
        objects.mkdir()
        alternate = {
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": quote_alternate(str(self.objects))
        }
        env = self.env | alternate | {"GIT_OBJECT_DIRECTORY": str(objects)}
        return replace(self, env=env)


def quote_alternate(path: str) -> str:
    """Return a path as git takes it in a list that colons divide."""
    for each in ("\\", '"'):
        path = path.replace(each, f"\\{each}")
    return f'"{path}"'


def repository_of(folder: Path) -> Repository:
    """Return the repository that a project lies in."""
    env = user_env()
    return Repository(*locate(folder, env), env)


def require_clean_repository(repository: Repository) -> None:
    """Refuse a repository that is not at rest, or does not hold the project."""
    require_no_operation_in_progress(repository)
    require_no_lock(repository)
    require_project_committed(repository)
    require_no_conflicts(repository)
    require_no_uncommitted_changes(repository)
    require_no_hidden_changes(repository)


def require_no_open_conflicts(folder: Path) -> None:
    """Refuse a project with open conflicts, also to what needs no repository, or changes nothing."""
    if conflicted_files(folder):
        require_clean_repository(repository_of(folder))


def conflicted_files(folder: Path) -> list[str]:
    """Return the files of a project whose conflicts are open; none, where git cannot tell."""
    try:
        told, _errors, _end = run_with_timeout(
            ["git", *UNMERGED], TIMEOUT, cwd=folder, env=isolated_env()
        )
    except OSError:  # there is no git
        return []
    return parse_unmerged(told)


def parse_unmerged(told: str) -> list[str]:
    """Return each path once from git's lines `mode object stage TAB path`."""
    lines = (line.partition("\t") for line in told.split("\0"))
    return list(dict.fromkeys(path for _facts, _tab, path in lines if path))


def locate(folder: Path, env: dict[str, str]) -> tuple[Path, Path, str]:
    """Return the root of a folder's repository, where git keeps it, and the way to the folder."""
    told = rev_parse(PLACES, folder, env).split("\n")
    if len(told) > len(PLACES):  # there are ends of lines in names, too
        told = [rev_parse([place], folder, env) for place in PLACES]
    root, git_dir, prefix = told
    there = Path(root, prefix)
    if not (there.is_dir() and there.samefile(folder)):
        raise WorkTreeElsewhereError(str(folder), f"they are in {root}")
    return Path(root), Path(git_dir), prefix


def rev_parse(asked: Sequence[str], folder: Path, env: dict[str, str]) -> str:
    """Return what git says of a folder's repository; a name may end with an end of line, too."""
    done = run_git("rev-parse", *asked, cwd=folder, env=env)
    if "not a git repository" in done.stderr:
        raise NoRepositoryError(str(folder))
    if "must be run in a work tree" in done.stderr:
        raise BareRepositoryError(str(folder))
    if done.returncode:
        raise command_error(done)
    return done.stdout.removesuffix("\n")


def require_project_committed(repository: Repository) -> None:
    """Refuse a repository whose last commit, if there is one, does not hold the project."""
    answers = (
        LITERAL,
        "ls-tree",
        "-z",
        "HEAD",
        "--",
        f"{repository.prefix}{ANSWERS_FILE}",
    )
    done = repository.call(*answers)
    unborn = "Not a valid object name HEAD" in done.stderr
    if done.returncode and not unborn:
        raise command_error(done)
    if not done.stdout:
        raise ProjectNotCommittedError(str(repository.root / repository.prefix))


def require_no_conflicts(repository: Repository) -> None:
    """Refuse a repository with open conflicts, which somebody has still to settle."""
    if files := parse_unmerged(repository.git(*UNMERGED)):
        raise UnresolvedConflictsError(str(repository.root), summarize_paths(files))


def require_no_uncommitted_changes(repository: Repository) -> None:
    """Refuse a repository with changes of tracked files: undoing would lose them."""
    status = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    if changed := repository.git(*status, "--ignore-submodules=untracked"):
        raise UncommittedChangesError(
            str(repository.root),
            summarize_paths([entry[3:] for entry in changed.split("\0")]),
        )


def require_no_operation_in_progress(repository: Repository) -> None:
    """Refuse a repository in which something else has been begun."""
    for name, what in OPERATIONS.items():
        if (repository.git_dir / name).exists():
            raise OperationInProgressError(str(repository.root), what)


def require_no_lock(repository: Repository) -> None:
    """Refuse a repository whose index is locked: git could not write the outcome."""
    lock = repository.git_dir / "index.lock"
    if os.path.lexists(lock):
        raise RepositoryLockedError(str(lock))


def require_no_hidden_changes(repository: Repository) -> None:
    """Refuse a project with files whose changes git was told to overlook: they would be lost."""
    files = repository.git(
        LITERAL, "ls-files", "-v", "-z", "--", repository.prefix or "."
    )
    entries = [entry.partition(" ") for entry in files.split("\0") if entry]
    if marked := [path for tag, _, path in entries if tag.islower() or tag == "S"]:
        raise HiddenChangesError(str(repository.root), summarize_paths(marked))


def user_env() -> dict[str, str]:
    """Return an environment in which git reads the user's configuration, then ours."""
    kept = env_without_git(but=("GIT_EXEC_PATH", "GIT_CONFIG_"))
    told = kept.get("GIT_CONFIG_COUNT", "0")
    count = int(told) if told.isdecimal() else 0
    for number, (key, value) in enumerate(CONFIG.items(), count):
        kept |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return kept | IDENTITY | own | {"GIT_CONFIG_COUNT": str(count + len(CONFIG))}


def summarize_paths(paths: list[str]) -> str:
    """Return the first few paths, and how many there are beside them."""
    paths = [path for path in paths if path]
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(paths[:5]) + more

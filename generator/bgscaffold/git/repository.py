"""The user's repository around a project."""

import os
import posixpath
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bgscaffold.git.client import (
    command_error,
    config_variables,
    env_without_git,
    isolated_env,
    run_git,
)
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

# The user's configuration counts here: line endings, filters, ignored files, the style
# of conflicts. What could change the merge, or run programs in it, is overridden.
CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "diff.noprefix": "false",
    "maintenance.auto": "false",
    "merge.directoryRenames": "true",  # new files follow a folder the user has renamed
    "merge.renames": "true",
    "merge.renameLimit": "7000",
    "rerere.enabled": "false",
}
IDENTITY = {
    f"GIT_{role}_{fact}": value
    for role in ("AUTHOR", "COMMITTER")
    for fact, value in (
        ("NAME", "bgscaffold"),
        ("EMAIL", "bgscaffold@localhost"),
        ("DATE", "2026-01-01T00:00:00Z"),  # fixed: the same merge, the same objects
    )
}
LOCATION = ("--show-toplevel", "--absolute-git-dir", "--show-prefix")
LITERAL = "--literal-pathspecs"
UNMERGED = ("ls-files", "--unmerged", "-z")
TIMEOUT = 10.0  # seconds for a git that only reads its index
SHOWN_PATHS = 5
OPERATIONS = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or git am",
    "sequencer": "a cherry-pick or a revert of several commits",
}


@dataclass(frozen=True)
class Repository:
    """A repository with a work tree, and the project's place in it."""

    root: Path
    git_dir: Path
    prefix: str  # of the project's paths: empty, or it ends with a slash
    env: dict[str, str]

    def git(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> str:
        """Run a git command that must succeed, and return what it printed."""
        done = self.run(*arguments, stdin=stdin, env=env)
        if done.returncode:
            raise command_error(done)
        return done.stdout

    def run(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a git command at the root; Ctrl-C does not reach it."""
        env = self.env | (env or {})
        return run_git(
            *arguments, cwd=self.root, env=env, stdin=stdin, new_session=True
        )

    @property
    def objects(self) -> Path:
        """Return the folder of its objects, which linked work trees share."""
        path = self.git("rev-parse", "--git-path", "objects").removesuffix("\n")
        return self.root / path

    def from_project(self, path: str) -> str:
        """Return a path of the repository, relative to the project."""
        return posixpath.relpath(f"/{path}", f"/{self.prefix}")

    def tracks(self, path: str) -> bool:
        """Return whether git tracks a file of the project."""
        return bool(self.git(LITERAL, "ls-files", "-z", "--", f"{self.prefix}{path}"))

    def with_object_directory(self, objects: Path) -> "Repository":
        """Return the same repository, which writes its objects elsewhere."""
        objects.mkdir()
        alternate = quote_alternate(str(self.objects))
        variables = {
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternate,
            "GIT_OBJECT_DIRECTORY": str(objects),
        }
        return replace(self, env=self.env | variables)


def quote_alternate(path: str) -> str:
    """Quote a path for git's list of object directories, which colons separate."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def repository_of(folder: Path) -> Repository:
    """Return the repository around a project."""
    env = user_env()
    root, git_dir, prefix = locate(folder, env)
    there = Path(root, prefix)
    if not (there.is_dir() and there.samefile(folder)):
        raise WorkTreeElsewhereError(str(folder), f"it is in {root}")
    return Repository(root=Path(root), git_dir=Path(git_dir), prefix=prefix, env=env)


def user_env() -> dict[str, str]:
    """Return an environment in which git reads the user's configuration, then ours."""
    kept = env_without_git(keep=("GIT_EXEC_PATH", "GIT_CONFIG_"))
    count = kept.get("GIT_CONFIG_COUNT", "0")
    start = int(count) if count.isdecimal() else 0
    options = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return kept | IDENTITY | options | config_variables(CONFIG, start)


def locate(folder: Path, env: dict[str, str]) -> list[str]:
    """Return the work tree, the git folder and the prefix of a folder."""
    answers = rev_parse(LOCATION, folder, env).split("\n")
    if len(answers) > len(LOCATION):  # a name contains a newline
        answers = [rev_parse([question], folder, env) for question in LOCATION]
    return answers


def rev_parse(questions: Sequence[str], folder: Path, env: dict[str, str]) -> str:
    """Return what git says about the repository around a folder."""
    done = run_git("rev-parse", *questions, cwd=folder, env=env)
    if "not a git repository" in done.stderr:
        raise NoRepositoryError(str(folder))
    if "must be run in a work tree" in done.stderr:
        raise BareRepositoryError(str(folder))
    if done.returncode:
        raise command_error(done)
    return done.stdout.removesuffix("\n")  # a name may end with a newline, too


# ---- Preconditions of a merge -------------------------------------------------------


def require_clean_repository(repository: Repository) -> None:
    """Refuse a repository in which a merge could lose something."""
    require_no_operation_in_progress(repository)
    require_no_lock(repository)
    require_project_committed(repository)
    require_no_conflicts(repository)
    require_no_uncommitted_changes(repository)
    require_no_hidden_changes(repository)


def require_no_operation_in_progress(repository: Repository) -> None:
    """Refuse a repository in which another operation is not finished."""
    for name, operation in OPERATIONS.items():
        if (repository.git_dir / name).exists():
            raise OperationInProgressError(str(repository.root), operation)


def require_no_lock(repository: Repository) -> None:
    """Refuse a repository whose index is locked."""
    lock = repository.git_dir / "index.lock"
    if os.path.lexists(lock):
        raise RepositoryLockedError(str(lock))


def require_project_committed(repository: Repository) -> None:
    """Refuse a repository whose last commit does not contain the project."""
    answers = f"{repository.prefix}{ANSWERS_FILE}"
    command = (LITERAL, "ls-tree", "-z", "HEAD", "--")
    done = repository.run(*command, answers)
    no_commit = "Not a valid object name HEAD" in done.stderr
    if done.returncode and not no_commit:
        raise command_error(done)
    if not done.stdout:
        raise ProjectNotCommittedError(str(repository.root / repository.prefix))


def require_no_conflicts(repository: Repository) -> None:
    """Refuse a repository with unresolved conflicts."""
    if files := parse_unmerged(repository.git(*UNMERGED)):
        raise UnresolvedConflictsError(str(repository.root), summarize_paths(files))


def require_no_uncommitted_changes(repository: Repository) -> None:
    """Refuse a repository with changes of tracked files: an undo would lose them."""
    options = ("--no-renames", "--untracked-files=no", "--ignore-submodules=untracked")
    status = repository.git("status", "--porcelain", "-z", *options)
    if status:
        files = [entry[3:] for entry in status.split("\0") if entry]
        raise UncommittedChangesError(str(repository.root), summarize_paths(files))


def require_no_hidden_changes(repository: Repository) -> None:
    """Refuse a project with files whose changes git ignores."""
    project = repository.prefix or "."
    command = (LITERAL, "ls-files", "-v", "-z", "--")
    listing = repository.git(*command, project)
    entries = [entry.partition(" ") for entry in listing.split("\0") if entry]
    hidden = [path for tag, _, path in entries if tag.islower() or tag == "S"]
    if hidden:
        raise HiddenChangesError(str(repository.root), summarize_paths(hidden))


def require_no_open_conflicts(folder: Path) -> None:
    """Refuse a project with unresolved conflicts; a project without git has none."""
    if conflicted_files(folder):
        require_clean_repository(repository_of(folder))


def conflicted_files(folder: Path) -> list[str]:
    """Return the files of a project with unresolved conflicts, none without git."""
    command: list[str | Path] = ["git", *UNMERGED]
    try:
        done = run_with_timeout(command, TIMEOUT, cwd=folder, env=isolated_env())
    except OSError:  # git is not installed
        return []
    return parse_unmerged(done.stdout)


def parse_unmerged(listing: str) -> list[str]:
    """Return each path once from git's lines `mode object stage TAB path`."""
    lines = (line.partition("\t") for line in listing.split("\0"))
    return list(dict.fromkeys(path for _facts, _tab, path in lines if path))


def summarize_paths(paths: list[str]) -> str:
    """Return the first paths, and the number of the others."""
    shown = ", ".join(paths[:SHOWN_PATHS])
    others = len(paths) - SHOWN_PATHS
    return f"{shown} and {others} more" if others > 0 else shown

"""Errors of git and of the user's repository."""

from bgscaffold.errors import BgscaffoldError

AGAIN = "then run the command again."
RESOLVE_CONFLICTS = (
    "edit each file, `git add` it and run `git commit`. Or drop all uncommitted changes"
    " with `git reset --hard`"
)


class GitNotFoundError(BgscaffoldError):
    """Git is not on PATH."""

    what = "Program not found on PATH"
    remedy = "Install git 2.38 or newer from https://git-scm.com/downloads."


class GitTooOldError(BgscaffoldError):
    """Git is too old to merge trees without a work tree."""

    what = "This git is too old"
    remedy = "Install git 2.38 or newer from https://git-scm.com/downloads."


class GitCommandError(BgscaffoldError):
    """A git command ended with an error."""

    what = "A git command failed"
    remedy = (
        "Fix the problem git reported, or free disk space, and run the command again."
    )


class NoRepositoryError(BgscaffoldError):
    """The project is not in a git repository, so nothing could be undone."""

    what = "The project is not in a git repository"
    remedy = f"Run `git init`, `git add --all` and `git commit -m before`, {AGAIN}"


class BareRepositoryError(BgscaffoldError):
    """The project is in a repository without a work tree."""

    what = "The repository of the project is bare"
    remedy = (
        "Clone it and run the command in the clone, or run"
        " `git config core.bare false`."
    )


class WorkTreeElsewhereError(BgscaffoldError):
    """The repository has its work tree in another folder than the project."""

    what = "The repository of the project has its work tree elsewhere"
    remedy = (
        "Run the command there; or, if core.worktree is set by mistake, run"
        " `git config --unset core.worktree`."
    )


class ProjectNotCommittedError(BgscaffoldError):
    """The last commit does not contain the project."""

    what = "The project is not committed"
    remedy = f"Run `git add --all` and `git commit -m before`, {AGAIN}"


class OperationInProgressError(BgscaffoldError):
    """A merge, a rebase or the like is in progress."""

    what = "The repository has an operation in progress"
    remedy = f"Finish or abort it (`git status` says how), {AGAIN}"


class UnresolvedConflictsError(BgscaffoldError):
    """Merge conflicts are open, and a commit would contain their markers."""

    what = "The repository has unresolved merge conflicts"
    remedy = f"Resolve them: {RESOLVE_CONFLICTS}. Then run the command again."


class UncommittedChangesError(BgscaffoldError):
    """Tracked files have uncommitted changes, which an undo would lose."""

    what = "The repository has uncommitted changes"
    remedy = f"Run `git commit --all` or `git stash`, {AGAIN}"


class HiddenChangesError(BgscaffoldError):
    """Git ignores changes of tracked files, so it could not restore them."""

    what = "Files of the project are marked assume-unchanged or skip-worktree"
    remedy = (
        "Run `git update-index --no-assume-unchanged --no-skip-worktree FILE` or"
        f" `git sparse-checkout disable`, commit what `git status` shows, {AGAIN}"
    )


class RepositoryLockedError(BgscaffoldError):
    """The index is locked by another git, or by one that was killed."""

    what = "Another git command is running in the repository"
    remedy = f"Wait until it ends, or remove this file if none is running, {AGAIN}"

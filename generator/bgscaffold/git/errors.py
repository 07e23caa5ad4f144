"""Errors of git and the user's repository."""

from bgscaffold.errors import BgscaffoldError


class GitNotFoundError(BgscaffoldError):
    """Git is not on PATH."""

    what = "Cannot find git on PATH"
    allowed = "git 2.31 or newer"
    remedy = "install git from https://git-scm.com/downloads or your package manager"


class GitTooOldError(BgscaffoldError):
    """Git is older than the configuration that bgscaffold passes to it."""

    what = "This git is too old"
    allowed = "git 2.31 or newer"
    remedy = "install a newer git from https://git-scm.com/downloads"


class GitCommandError(BgscaffoldError):
    """A git command ended with an error."""

    what = "A git command failed"
    allowed = "an exit code of 0"
    remedy = (
        "mend what git names, or make room on the disk, then run the same command again"
    )


RESOLVE_CONFLICTS = (
    "edit each between <<<<<<< and >>>>>>> and git add it, or git rm it, then git commit;"
    " or git reset --hard, which takes back all that is not committed"
)


class NoRepositoryError(BgscaffoldError):
    """The project lies in no git repository, so nothing could be merged or undone."""

    what = "The project lies in no git repository"
    allowed = (
        "a repository with the project committed: what is merged can be undone then"
    )
    remedy = (
        "git init, git add --all, git commit -m before, then run the same command again"
    )


class BareRepositoryError(BgscaffoldError):
    """The repository that the project lies in is bare: git keeps no files beside it."""

    what = "The project lies in a bare repository"
    allowed = "a repository with a work tree, of which the project is a part"
    remedy = "git clone it, and run the same command in the clone; or: git config core.bare false"


class WorkTreeElsewhereError(BgscaffoldError):
    """Git was told to keep the files of the repository in another folder than the project's."""

    what = "The project is not where its repository keeps its files"
    allowed = "a repository with a work tree, of which the project is a part"
    remedy = (
        "git config --unset core.worktree, if that is set by mistake; or run the same command where"
        " the files are"
    )


class ProjectNotCommittedError(BgscaffoldError):
    """The repository has no commit that holds the project."""

    what = "The project is in no commit yet"
    allowed = (
        "a repository with the project committed: what is merged can be undone then"
    )
    remedy = "git add --all, git commit -m before, then run the same command again"


class OperationInProgressError(BgscaffoldError):
    """The repository is in the middle of something else."""

    what = "The repository is in the middle of something else"
    allowed = "a repository at rest"
    remedy = (
        "finish it or end it (git status says how), then run the same command again"
    )


class UnresolvedConflictsError(BgscaffoldError):
    """Conflicts of a merge are open, and to commit all of it now would commit their markers."""

    what = "Conflicts of a merge are not settled"
    allowed = "no file that git status calls unmerged"
    remedy = f"{RESOLVE_CONFLICTS}; then run the same command again"


class UncommittedChangesError(BgscaffoldError):
    """Tracked files hold changes that are not committed, which undoing would lose."""

    what = "Tracked files hold changes that are not committed"
    allowed = "no uncommitted change anywhere in the repository: undoing would lose it"
    remedy = "git commit --all, or git stash, then run the same command again"


class HiddenChangesError(BgscaffoldError):
    """Git was told to overlook changes of files in the project, so it could not give them back."""

    what = "Git was told to overlook files of the project, and changes in them would be lost"
    allowed = "no file of the project marked assume-unchanged or skip-worktree"
    remedy = (
        "git update-index --no-assume-unchanged --no-skip-worktree FILE, or git sparse-checkout"
        " disable; then commit what git status shows, and run the same command again"
    )


class RepositoryLockedError(BgscaffoldError):
    """A git is at work in the repository, or one that was killed has left its lock."""

    what = "Another git command is at work in the repository"
    allowed = "a repository at rest, without this file"
    remedy = "wait until it has ended; if none runs any more, remove the file; then run the same command again"

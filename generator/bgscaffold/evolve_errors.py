"""What promote and update refuse: one class each, as in errors.py."""

from bgscaffold.errors import Refusal

SETTLE = (
    "edit each between <<<<<<< and >>>>>>> and git add it, or git rm it, then git commit;"
    " or git reset --hard, which takes back all that is not committed"
)


class EvolveInterrupted(Refusal):
    """Ctrl-C or SIGTERM came before promote or update had touched the project."""

    exit_code = 130
    what = "Interrupted, nothing was changed"
    allowed = "to let it finish"
    remedy = "run the same command again"


class NoRoom(Refusal):
    """The folder for what is temporary is full; the project was not touched."""

    what = "The folder for temporary files is full, nothing was changed"
    allowed = "some 10 MB of room"
    remedy = (
        "free some space there, or name another folder in TMPDIR, then run the same command again"
    )


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


class NoWorkTree(Refusal):
    """The repository that the project lies in is bare: git keeps no files beside it."""

    what = "The project lies in a bare repository"
    allowed = "a repository with a work tree, of which the project is a part"
    remedy = "git clone it, and run the same command in the clone; or: git config core.bare false"


class FilesElsewhere(Refusal):
    """Git was told to keep the files of the repository in another folder than the project's."""

    what = "The project is not where its repository keeps its files"
    allowed = "a repository with a work tree, of which the project is a part"
    remedy = (
        "git config --unset core.worktree, if that is set by mistake; or run the same command where"
        " the files are"
    )


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


class Unsettled(Refusal):
    """Conflicts of a merge are open, and to commit all of it now would commit their markers."""

    what = "Conflicts of a merge are not settled"
    allowed = "no file that git status calls unmerged"
    remedy = f"{SETTLE}; then run the same command again"


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
    allowed = "a released version that it knows, or its own"
    remedy = "leave out --to for its own, or upgrade bgscaffold for a newer one"


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


class LeftAlone(Refusal):
    """A merge stopped in the middle and was taken back, but somebody else has written files, too."""

    what = (
        "The merge could not be finished; all is as before, but what somebody else has just written"
    )
    allowed = "one who writes at a time, and files that git can write, on a disk with room"
    remedy = (
        "look at these files (git diff), commit or restore them, then run the same command again"
    )


class HalfMerged(Refusal):
    """A merge stopped in the middle, and what it had done could not be taken back."""

    what = "The merge could not be finished, and not all of it could be taken back"
    allowed = "files that git can write, on a disk with room"
    remedy = (
        "mend what is named, then git reset --hard, and remove what git status shows as untracked"
        " and new"
    )

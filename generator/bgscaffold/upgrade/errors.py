"""What promote and update refuse: one class each, as in errors.py."""

from bgscaffold.errors import BgscaffoldError


class UnsupportedOptionsError(BgscaffoldError):
    """Tasks or calls ask for what the pattern to promote to cannot do."""

    what = "The code asks for what the pattern cannot do"
    allowed = (
        "only options that the pattern supports, in @task(...) and in .options(...)"
    )
    remedy = "remove them from the code and commit that, or choose a pattern that can: safe, celery"


class UpgradeInterruptedError(BgscaffoldError):
    """Ctrl-C or SIGTERM came before promote or update had touched the project."""

    exit_code = 130
    what = "Interrupted, nothing was changed"
    allowed = "to let it finish"
    remedy = "run the same command again"


class TemporaryFolderFullError(BgscaffoldError):
    """The folder for what is temporary is full; the project was not touched."""

    what = "The folder for temporary files is full, nothing was changed"
    allowed = "some 10 MB of room"
    remedy = "free some space there, or name another folder in TMPDIR, then run the same command again"


class UntrackedFilesError(BgscaffoldError):
    """Files that git does not track stand where new ones have to go."""

    what = "Files that git does not track stand where new ones have to go"
    allowed = "these paths free, or tracked by git"
    remedy = "move them, remove them or commit them, then run the same command again"


class DryRunUnsupportedError(BgscaffoldError):
    """`--dry-run` needs a git that merges without touching anything."""

    what = "This git is too old for --dry-run"
    allowed = "git 2.38 or newer"
    remedy = (
        "install a newer git from https://git-scm.com/downloads, or run it without --dry-run:"
        " git reset --hard undoes it"
    )


class UnknownOriginError(BgscaffoldError):
    """The project was made from a version that this bgscaffold does not hold."""

    what = "The project was made from a version that this bgscaffold does not know"
    allowed = "the versions up to that of bgscaffold itself"
    remedy = (
        "upgrade bgscaffold: uv tool upgrade bgscaffold, or python3 -m pip install --upgrade"
        " bgscaffold; for a project that a checkout made, run the bgscaffold of that checkout"
    )


class UnknownVersionError(BgscaffoldError):
    """`--to` names a version that this bgscaffold does not hold."""

    what = "This bgscaffold does not know the version"
    allowed = "a released version that it knows, or its own"
    remedy = "leave out --to for its own, or upgrade bgscaffold for a newer one"


class UnknownFeatureError(BgscaffoldError):
    """`update` was asked to add what the version to reach does not have."""

    what = "The version to update to does not have what was asked for"
    allowed = "a version of the template whose copier.yml asks for it"
    remedy = "leave out --to, or name a newer version there, or upgrade bgscaffold"


class DowngradeError(BgscaffoldError):
    """`update` was asked to go back to an older version."""

    what = "The project is newer than the version to update to"
    allowed = "the version of the project, or a newer one"
    remedy = "upgrade bgscaffold; to go back, revert the commit of the update instead"


class FoldersNotWritableError(BgscaffoldError):
    """The system does not let a folder be changed that the merge has to change."""

    what = "Cannot change what these folders hold"
    allowed = "folders of the project that you may write to"
    remedy = "mend their permissions, then run the same command again"


class MergeError(BgscaffoldError):
    """Git stopped in the middle of the merge, for instance because the disk is full."""

    what = "The merge could not be finished, and all is as it was before"
    allowed = "files that git can write, on a disk with room"
    remedy = "mend what is named, then run the same command again"


class PartialRollbackError(BgscaffoldError):
    """A merge stopped in the middle and was taken back, but somebody else has written files, too."""

    what = "The merge could not be finished; all is as before, but what somebody else has just written"
    allowed = (
        "one who writes at a time, and files that git can write, on a disk with room"
    )
    remedy = "look at these files (git diff), commit or restore them, then run the same command again"


class RollbackError(BgscaffoldError):
    """A merge stopped in the middle, and what it had done could not be taken back."""

    what = "The merge could not be finished, and not all of it could be taken back"
    allowed = "files that git can write, on a disk with room"
    remedy = (
        "mend what is named, then git reset --hard, and remove what git status shows as untracked"
        " and new"
    )

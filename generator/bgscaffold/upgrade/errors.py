"""Errors of promote and update."""

from bgscaffold.errors import BgscaffoldError


class TemporaryFolderFullError(BgscaffoldError):
    """The folder for temporary files is full; the project was not touched."""

    what = "The folder for temporary files is full; nothing was changed"
    remedy = (
        "Free 10 MB there, or set TMPDIR to another folder, and run the command again."
    )


class VersionNotAvailableError(BgscaffoldError):
    """The project was created from a version that this bgscaffold does not have."""

    what = "This bgscaffold does not have the version the project was created from"
    remedy = (
        "Upgrade bgscaffold (`uv tool upgrade bgscaffold`, or `python3 -m pip install"
        " --upgrade bgscaffold`). If a checkout created the project, run that checkout."
    )


class UnknownVersionError(BgscaffoldError):
    """`--to` names a version that this bgscaffold does not have."""

    what = "This bgscaffold does not have the version"
    remedy = "Leave out --to for its own version, or upgrade bgscaffold."


class UnknownFeatureError(BgscaffoldError):
    """The version to update to does not have the requested feature."""

    what = "The version to update to does not have the requested feature"
    remedy = "Leave out --to, name a newer version, or upgrade bgscaffold."


class DowngradeError(BgscaffoldError):
    """The version to update to is older than the project."""

    what = "The project is newer than the version to update to"
    remedy = "Upgrade bgscaffold. To go back, revert the commit of the update."


class UnsupportedOptionsError(BgscaffoldError):
    """Tasks or calls use options that the new pattern does not support."""

    what = "The code uses options that the pattern does not support"
    remedy = "Remove them and commit, or choose another pattern: safe, celery."


class UntrackedFilesError(BgscaffoldError):
    """The merge would overwrite untracked files."""

    what = "The merge would overwrite untracked files"
    remedy = "Move, remove or commit them, and run the command again."


class FoldersNotWritableError(BgscaffoldError):
    """The merge has to change folders that are not writable."""

    what = "Cannot write to these folders"
    remedy = "Fix their permissions and run the command again."


class MergeError(BgscaffoldError):
    """Git stopped in the middle of the merge; everything was restored."""

    what = "The merge failed and was rolled back; no file was changed"
    remedy = "Fix the problem git reported and run the command again."


class PartialRollbackError(BgscaffoldError):
    """The merge was rolled back, except for files that another process changed."""

    what = (
        "The merge failed and was rolled back, except for files that another process"
        " changed meanwhile"
    )
    remedy = (
        "Check these files with `git diff`, commit or restore them, and run the"
        " command again."
    )


class RollbackError(BgscaffoldError):
    """The merge failed, and so did its rollback."""

    what = "The merge failed, and it could not be rolled back completely"
    remedy = (
        "Fix the problem, run `git reset --hard`, and remove the new files that"
        " `git status` shows as untracked."
    )

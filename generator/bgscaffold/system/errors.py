"""Errors of files, folders and processes."""

from bgscaffold.errors import BgscaffoldError


class FolderNotEmptyError(BgscaffoldError):
    """The folder to create holds something already."""

    what = "The folder is not empty"
    allowed = "a folder that does not exist yet, or an empty one (one with only .git counts as full)"
    remedy = "choose another path, or move away what the folder holds"


class NotAFolderError(BgscaffoldError):
    """Something that is not a folder stands where the project should go."""

    what = "The path is not a folder"
    allowed = "a folder that does not exist yet, or an empty one"
    remedy = "choose another path, or move away what is there"


class WriteError(BgscaffoldError):
    """The system did not let the project be written; nothing of it is left."""

    what = "Cannot write the project"
    allowed = "a folder you may write to, on a disk with room"
    remedy = "free some space or choose another path, then run the same command again"


class CurrentFolderMissingError(BgscaffoldError):
    """The folder that the user stands in has been removed."""

    what = "The folder that you stand in is gone"
    allowed = "a folder that is there"
    remedy = "go to another folder, then run the same command again"


class ConcurrentEditError(BgscaffoldError):
    """Somebody else has written a file since it was read; nothing was changed."""

    what = "Somebody else has just changed the file"
    allowed = "one who writes at a time"
    remedy = "run the same command again"


class LockTimeoutError(BgscaffoldError):
    """Another command is changing what is in the folder, and does not end."""

    what = "Another bgscaffold is at work in this folder"
    allowed = "one at a time; this one has waited"
    remedy = "let the other one end, or end it, then run the same command again"


class FilesNotWrittenError(BgscaffoldError):
    """The system did not let the files be written; all are as they were."""

    what = "Cannot write the files, nothing was changed"
    allowed = "a project you may write to, on a disk with room"
    remedy = "free some space or mend the permissions, then run the same command again"


class CommandInterruptedError(BgscaffoldError):
    """Ctrl-C or SIGTERM came before the project was in its place."""

    exit_code = 130  # what a shell expects of a program that Ctrl-C has ended
    what = "Interrupted, nothing was created"
    allowed = "to let it finish"
    remedy = "run the same command again"

"""Errors of files, folders and processes."""

from bgscaffold.errors import BgscaffoldError


class CurrentFolderMissingError(BgscaffoldError):
    """The current folder was removed."""

    what = "The current folder no longer exists"
    remedy = "Change to another folder and run the command again."


class FolderNotEmptyError(BgscaffoldError):
    """The folder to create exists and has content."""

    what = "The folder is not empty"
    remedy = "Choose another path, or move its content away; .git counts as content."


class NotAFolderError(BgscaffoldError):
    """The path of the folder to create is a file or a link."""

    what = "The path is not a folder"
    remedy = "Choose another path, or move what is there away."


class WriteError(BgscaffoldError):
    """The system refused to write a file; everything written was removed again."""

    what = "Cannot write"
    remedy = (
        "Free disk space or choose a folder that you may write to,"
        " and run the command again."
    )


class FilesNotWrittenError(BgscaffoldError):
    """The system refused to write one of several files; none was changed."""

    what = "Cannot write the files; nothing was changed"
    remedy = "Free disk space or fix the permissions, and run the command again."


class ConcurrentEditError(BgscaffoldError):
    """Another process changed a file after it was read; nothing was overwritten."""

    what = "Another process has just changed the file"
    remedy = "Run the command again."


class LockTimeoutError(BgscaffoldError):
    """Another command holds the lock of the folder and does not end."""

    what = "Another bgscaffold command is running in this folder"
    remedy = "Wait until it ends, or stop it, and run the command again."


class CommandInterruptedError(BgscaffoldError):
    """Ctrl-C or SIGTERM arrived before anything was created."""

    exit_code = 130  # the status of a program that Ctrl-C ended
    what = "Interrupted; nothing was created"
    remedy = "Run the command again."

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}"


class ChangeInterruptedError(CommandInterruptedError):
    """Ctrl-C or SIGTERM arrived before anything was changed."""

    what = "Interrupted; nothing was changed"

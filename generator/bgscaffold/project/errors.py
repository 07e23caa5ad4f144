"""Errors of a project and its answers."""

from bgscaffold.errors import BgscaffoldError
from bgscaffold.layout import ANSWERS_FILE


class ProjectNameError(BgscaffoldError):
    """The last part of the path is not a valid project name."""

    what = "Not a valid project name"
    allowed = (
        "A name has 1 to 63 characters of a-z, 0-9, - and _, starts with a letter and"
        " ends with a letter or a digit. Python keywords, device names of Windows and"
        " dependencies of the project are reserved."
    )
    remedy = "End the path with another name, such as my-app."


class NotAProjectError(BgscaffoldError):
    """The folder is not in a project of bgscaffold."""

    what = "Not a bgscaffold project"
    remedy = (
        "Run the command in a project created by `bgscaffold new` or `copier copy`,"
        " or name its folder."
    )


class AnswersError(BgscaffoldError):
    """The answers file is not as Copier wrote it."""

    what = "Cannot use the recorded answers"
    remedy = (
        f"Restore the file from its history: `git log -- {ANSWERS_FILE}`, then"
        f" `git checkout COMMIT -- {ANSWERS_FILE}`."
    )

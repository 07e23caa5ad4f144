"""Errors of a project and its answers."""

from bgscaffold.errors import BgscaffoldError


class ProjectNameError(BgscaffoldError):
    """The last part of the path cannot be the name of a project."""

    what = "Not a project name"
    allowed = (
        "1 to 63 of a-z, 0-9, - and _, first a letter, last a letter or a digit;"
        " no Python keyword, no device name of Windows, no package that the project depends on"
    )
    remedy = "choose another last part for the path, such as my-app"


class NotAProjectError(BgscaffoldError):
    """The folder is not in a project that bgscaffold has made."""

    what = "Not a project of bgscaffold"
    allowed = "a folder of a project that `bgscaffold new` or `copier copy` has made"
    remedy = "go into the project, or name its folder"


class AnswersError(BgscaffoldError):
    """The answers file is not as Copier writes it."""

    what = "Cannot use the recorded answers"
    allowed = "the file as bgscaffold or Copier wrote it, with _commit, pattern and project_name"
    remedy = "take it from the history: git log -- .copier-answers.yml, git checkout COMMIT -- .copier-answers.yml"

"""Errors of the template."""

from bgscaffold.errors import BgscaffoldError


class TemplateNotFoundError(BgscaffoldError):
    """The installation has neither a bundle nor a repository to render from."""

    what = "Cannot find the template of bgscaffold"
    remedy = (
        "Install bgscaffold again:"
        " `python3 -m pip install --force-reinstall bgscaffold`."
    )


class RenderError(BgscaffoldError):
    """Copier could not render the template."""

    what = "Cannot render the template"
    remedy = "This is a bug in bgscaffold: please report it with the line above."

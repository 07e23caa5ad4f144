"""Errors of the template."""

from bgscaffold.errors import BgscaffoldError


class TemplateNotFoundError(BgscaffoldError):
    """The installation holds neither a bundle nor a repository to render from."""

    what = "Cannot find the template of bgscaffold"
    allowed = "an installed wheel, or an editable checkout"
    remedy = (
        "install bgscaffold again: python3 -m pip install --force-reinstall bgscaffold"
    )


class RenderError(BgscaffoldError):
    """Copier could not render the template."""

    what = "Cannot render the template"
    allowed = "a template that renders with these answers"
    remedy = "this is a fault of bgscaffold: please report it with the line above"

"""Errors of `bgscaffold new`."""

from bgscaffold.errors import BgscaffoldError


class PatternConflictError(BgscaffoldError):
    """`--with-celery` and another pattern are given."""

    exit_code = 2
    what = "--with-celery means --pattern celery, but another pattern is given"
    remedy = "Leave out one of the two options."


class UvNotFoundError(BgscaffoldError):
    """`--install` needs uv; nothing was created."""

    what = "Program not found on PATH"
    remedy = (
        "Install uv with `python3 -m pip install uv` or `pipx install uv`,"
        " or leave out --install."
    )


class InstallError(BgscaffoldError):
    """The project was created, but its dependencies were not installed."""

    what = "The project was created, but `uv sync` failed in it"
    remedy = "Fix the problem uv reported above, then run `uv sync` in that folder."

"""Errors of `bgscaffold new`."""

from bgscaffold.errors import BgscaffoldError


class PatternConflictError(BgscaffoldError):
    """`--with-celery` stands beside another pattern."""

    exit_code = 2
    what = (
        "--with-celery is the same as --pattern celery, but another pattern was given"
    )
    allowed = "one of the two"
    remedy = "leave out --with-celery, or --pattern"


class UvNotFoundError(BgscaffoldError):
    """`--install` needs uv, which is not on PATH; nothing was created."""

    what = "Cannot find what --install needs on PATH"
    allowed = "uv"
    remedy = "install uv with `python3 -m pip install uv` or `pipx install uv`, or leave out --install"


class InstallError(BgscaffoldError):
    """The project is there, but its dependencies are not."""

    what = "The project is created, but `uv sync` failed in it"
    allowed = "an exit code of 0"
    remedy = "see uv's own words above, then run `uv sync` in that folder"

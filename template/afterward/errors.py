"""Errors of the package, and how a process that cannot start reports its reason."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class EnqueueError(TypeError):
    """A call that cannot become a task run. The message names task, argument and remedy."""

    status = 500  # HTTP status of the request that fails


class KeyReusedError(EnqueueError):
    """An idempotency key was used before with other arguments."""

    status = 422


class StartupError(RuntimeError):
    """The process cannot start. The message says why, and what to do."""


@contextmanager
def without_traceback() -> Iterator[None]:
    """Show a startup error or an invalid setting as its message alone.

    A traceback of the server's own code would hide the message.
    """
    from pydantic import ValidationError

    try:
        yield
    except (StartupError, ValidationError):
        sys.tracebacklimit = 0  # stays set, because this process ends now
        raise

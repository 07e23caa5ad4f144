"""Work that a signal can interrupt, and that cleans up after itself."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from bgscaffold.errors import BgscaffoldError

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]

T = TypeVar("T")


def run_interruptibly(
    work: Callable[[], T], clean_up: Callable[[], object], error: BgscaffoldError
) -> T:
    """Do work that a signal stops with `error`, then clean up undisturbed.

    This is not a context manager, because a signal that arrives while one is being
    entered reaches neither its `except` nor its `finally`.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        catch_signals()
        return work()
    except BaseException as cause:
        if is_interrupt(cause):
            raise error from cause
        raise
    finally:
        ignore_signals()
        clean_up()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether Ctrl-C caused an error.

    Python wraps a KeyboardInterrupt that arrives while a class is being created.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def catch_signals() -> None:
    """Raise KeyboardInterrupt on a signal, unless it is ignored, as under nohup."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, raise_interrupt)


def raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Stop the current work, once."""
    ignore_signals()
    raise KeyboardInterrupt


def ignore_signals() -> None:
    """Let nothing interrupt what follows."""
    for number in SIGNALS:
        if signal.getsignal(number) is raise_interrupt:
            # Not SIG_IGN: Python reports a signal that arrived just before it.
            signal.signal(number, ignore_signal)


def ignore_signal(_number: int, _frame: FrameType | None) -> None:
    """Do nothing about a signal."""

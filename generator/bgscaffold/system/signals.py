"""Work that a signal interrupts and that cleans up after itself."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from bgscaffold.errors import BgscaffoldError


def is_interrupt(error: BaseException | None) -> bool:
    """Tell whether Ctrl-C is behind an error, as Python wraps it while a class is being made."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]


T = TypeVar("T")


def run_interruptibly(
    work: Callable[[], T], clean_up: Callable[[], object], refusal: BgscaffoldError
) -> T:
    """Do work that a signal stops, then clean up, which no signal stops.

    A function and not a context manager: a signal that comes while one of those is being entered
    finds neither its `except` nor its `finally`.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        catch_signals()
        return work()
    except BaseException as error:
        if is_interrupt(error):
            raise refusal from error
        raise
    finally:
        ignore_signals()
        clean_up()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def catch_signals() -> None:
    """Let a signal to stop raise KeyboardInterrupt, unless it is ignored already, as under nohup."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, raise_interrupt)


def raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Stop the work in hand, once."""
    ignore_signals()
    raise KeyboardInterrupt


def ignore_signals() -> None:
    """Let nothing interrupt what follows."""
    for number in SIGNALS:
        if signal.getsignal(number) is raise_interrupt:
            # Not SIG_IGN: Python complains about a signal that came just before it.
            signal.signal(number, ignore_signal)


def ignore_signal(_number: int, _frame: FrameType | None) -> None:
    """Take no notice of a signal."""

"""A folder that appears whole or not at all, whatever interrupts its making."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from types import FrameType

from bgscaffold.errors import CannotWrite, Interrupted, NotAFolder, NotEmpty

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def staged(destination: Path) -> Iterator[Path]:
    """Give a folder beside the destination, on its file system; remove it in the end."""
    refuse_what_is_taken(destination)
    stage = destination.with_name(f".{destination.name}.{token_hex(4)}")
    missing = [parent for parent in destination.parents if not parent.exists()]
    with interruptible(destination):
        try:
            stage.mkdir(parents=True)
            yield stage
        except OSError as error:
            raise CannotWrite(error.filename or str(destination), error.strerror or "") from error
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            remove_empty(missing)


@contextmanager
def interruptible(destination: Path) -> Iterator[None]:
    """Turn the first signal to stop into a refusal, and ignore any that would disturb tidying up."""
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(str(destination)) from interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def stop(_number: int, _frame: FrameType | None) -> None:
    """Stop the work in hand, once."""
    ignore_signals()
    raise KeyboardInterrupt


def ignore_signals() -> None:
    """Let nothing interrupt what follows."""
    for number in SIGNALS:
        if signal.getsignal(number) is stop:
            # Not SIG_IGN: Python complains about a signal that came just before it.
            signal.signal(number, go_on)


def go_on(_number: int, _frame: FrameType | None) -> None:
    """Take no notice of a signal."""


def put_in_place(folder: Path, destination: Path) -> None:
    """Move a finished folder to its destination, which is missing or empty."""
    ignore_signals()
    with suppress(FileNotFoundError):
        destination.rmdir()
    os.rename(folder, destination)


def refuse_what_is_taken(destination: Path) -> None:
    """Refuse a destination that is there already, unless it is an empty folder."""
    try:
        if next(destination.iterdir(), None) is not None:
            raise NotEmpty(str(destination))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise NotAFolder(str(destination)) from error
    except OSError as error:
        raise CannotWrite(str(destination), error.strerror or "") from error


def remove_empty(folders: list[Path]) -> None:
    """Remove the folders that were made for nothing, innermost first."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()

"""Work that is done whole or not at all, whatever interrupts it; above all, making a folder."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import TypeVar

from bgscaffold.errors import (
    CannotWrite,
    Interrupted,
    NotAFolder,
    NotEmpty,
    Refusal,
    is_interrupt,
)

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


T = TypeVar("T")


def build_in_place(destination: Path, build: Callable[[Path], T]) -> T:
    """Let a function fill a folder beside the destination, then move its `project` there.

    Where the user stands in the destination, it is filled: in another folder, with the same name
    and in the same place, he would not stand.
    """
    refuse_what_is_taken(destination)
    within = is_current(destination)
    beside = destination if within else destination.parent
    stage = beside / f".{destination.name}.{token_hex(4)}"
    put = fill if within else put_in_place
    missing = [parent for parent in destination.parents if not parent.exists()]

    def work() -> T:
        stage.mkdir(parents=True)
        built = build(stage)
        put(stage / "project", destination)
        return built

    def clean_up() -> None:
        shutil.rmtree(stage, ignore_errors=True)
        remove_empty(missing)

    try:
        return interruptible(work, clean_up, Interrupted(str(destination)))
    except OSError as error:
        raise CannotWrite(error.filename or str(destination), error.strerror or "") from error


def interruptible(work: Callable[[], T], clean_up: Callable[[], object], refusal: Refusal) -> T:
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
            signal.signal(number, stop)


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
    try:
        with suppress(FileNotFoundError):
            destination.rmdir()
        os.rename(folder, destination)
    except OSError:
        refuse_what_is_taken(destination)  # as it is by now, perhaps by another `new`
        raise


def is_current(folder: Path) -> bool:
    """Tell whether a folder is the one that the user stands in."""
    return folder.exists() and folder.samefile(Path.cwd())


def fill(folder: Path, destination: Path) -> None:
    """Move what a finished folder holds to its destination, where it stands: all of it, or nothing."""
    ignore_signals()
    stage = folder.parent
    if any(path != stage for path in destination.iterdir()):
        raise NotEmpty(str(destination))
    moved = []
    try:
        for path in sorted(folder.iterdir()):
            os.rename(path, destination / path.name)
            moved.append(path)
    except OSError:
        for path in moved:
            os.rename(destination / path.name, path)
        raise


def refuse_what_is_taken(destination: Path) -> None:
    """Refuse a destination that is there already, unless it is an empty folder."""
    try:
        if destination.is_symlink():  # which can be replaced by a folder, but is not ours
            raise NotAFolder(str(destination), "a symbolic link")
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

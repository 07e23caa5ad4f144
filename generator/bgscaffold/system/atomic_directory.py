"""Work that is done whole or not at all, whatever interrupts it; above all, making a folder."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from bgscaffold.system.errors import (
    CommandInterruptedError,
    FolderNotEmptyError,
    NotAFolderError,
    WriteError,
)
from bgscaffold.system.signals import T, ignore_signals, run_interruptibly


def build_atomically(destination: Path, build: Callable[[Path], T]) -> T:
    """Let a function fill a folder beside the destination, then move its `project` there.

    Where the user stands in the destination, it is filled: in another folder, with the same name
    and in the same place, he would not stand.
    """
    require_free(destination)
    within = is_current_folder(destination)
    beside = destination if within else destination.parent
    stage = beside / f".{destination.name}.{token_hex(4)}"
    put = move_contents if within else move_into_place
    missing = [parent for parent in destination.parents if not parent.exists()]

    def work() -> T:
        stage.mkdir(parents=True)
        built = build(stage)
        put(stage / "project", destination)
        return built

    def clean_up() -> None:
        shutil.rmtree(stage, ignore_errors=True)
        remove_empty_folders(missing)

    try:
        return run_interruptibly(
            work, clean_up, CommandInterruptedError(str(destination))
        )
    except OSError as error:
        raise WriteError(
            error.filename or str(destination), error.strerror or ""
        ) from error


def move_into_place(folder: Path, destination: Path) -> None:
    """Move a finished folder to its destination, which is missing or empty."""
    ignore_signals()
    try:
        with suppress(FileNotFoundError):
            destination.rmdir()
        os.rename(folder, destination)
    except OSError:
        require_free(destination)  # as it is by now, perhaps by another `new`
        raise


def is_current_folder(folder: Path) -> bool:
    """Tell whether a folder is the one that the user stands in."""
    return folder.exists() and folder.samefile(Path.cwd())


def move_contents(folder: Path, destination: Path) -> None:
    """Move what a finished folder holds to its destination, where it stands: all of it, or nothing."""
    ignore_signals()
    stage = folder.parent
    if any(path != stage for path in destination.iterdir()):
        raise FolderNotEmptyError(str(destination))
    moved = []
    try:
        for path in sorted(folder.iterdir()):
            os.rename(path, destination / path.name)
            moved.append(path)
    except OSError:
        for path in moved:
            os.rename(destination / path.name, path)
        raise


def require_free(destination: Path) -> None:
    """Refuse a destination that is there already, unless it is an empty folder."""
    try:
        if (
            destination.is_symlink()
        ):  # which can be replaced by a folder, but is not ours
            raise NotAFolderError(str(destination), "a symbolic link")
        if next(destination.iterdir(), None) is not None:
            raise FolderNotEmptyError(str(destination))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise NotAFolderError(str(destination)) from error
    except OSError as error:
        raise WriteError(str(destination), error.strerror or "") from error


def remove_empty_folders(folders: list[Path]) -> None:
    """Remove the folders that were made for nothing, innermost first."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()

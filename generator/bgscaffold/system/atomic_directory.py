"""Creating a folder with its content as a whole, or not at all."""

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
    """Let a function fill a folder beside the destination; move its `project` there.

    The current folder is filled instead of replaced, or the user's shell would be in a
    folder that no longer exists.
    """
    require_free(destination)
    is_current = is_current_folder(destination)
    parent = destination if is_current else destination.parent
    stage = parent / f".{destination.name}.{token_hex(4)}"
    move = move_contents if is_current else move_into_place
    missing = missing_folders(destination)

    def work() -> T:
        stage.mkdir(parents=True)
        built = build(stage)
        ignore_signals()
        move(stage / "project", destination)
        return built

    def clean_up() -> None:
        shutil.rmtree(stage, ignore_errors=True)
        remove_empty_folders(missing)

    try:
        error = CommandInterruptedError(str(destination))
        return run_interruptibly(work, clean_up, error)
    except OSError as failure:
        file = failure.filename or str(destination)
        raise WriteError(file, failure.strerror or "") from failure


def move_into_place(folder: Path, destination: Path) -> None:
    """Move a finished folder to its destination, which is missing or empty."""
    try:
        with suppress(FileNotFoundError):
            destination.rmdir()
        os.rename(folder, destination)
    except OSError:
        require_free(destination)  # perhaps another `new` was faster
        raise


def move_contents(folder: Path, destination: Path) -> None:
    """Move everything in a finished folder to the destination, or nothing."""
    if any(path != folder.parent for path in destination.iterdir()):
        raise FolderNotEmptyError(str(destination))
    moved: list[str] = []
    try:
        for name in sorted(os.listdir(folder)):
            os.rename(folder / name, destination / name)
            moved.append(name)
    except OSError:
        for name in moved:
            os.rename(destination / name, folder / name)
        raise


def is_current_folder(folder: Path) -> bool:
    """Return whether a folder is the current one."""
    return folder.exists() and folder.samefile(Path.cwd())


def require_free(destination: Path) -> None:
    """Refuse a destination that exists, unless it is an empty folder."""
    try:
        if destination.is_symlink():
            raise NotAFolderError(str(destination), "it is a symbolic link")
        if any(destination.iterdir()):
            raise FolderNotEmptyError(str(destination))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise NotAFolderError(str(destination)) from error
    except OSError as error:
        raise WriteError(str(destination), error.strerror or "") from error


def missing_folders(path: Path) -> list[Path]:
    """Return the folders that a path needs and that do not exist, innermost first."""
    return [parent for parent in path.parents if not parent.exists()]


def remove_empty_folders(folders: list[Path]) -> None:
    """Remove folders that turned out not to be needed, innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()

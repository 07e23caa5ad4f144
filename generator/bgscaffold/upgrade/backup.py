"""Files that are kept aside while something is done to them, and put back if it fails.

`git reset --hard` would not do: it runs the filter again, or needs the room, that was missing.
"""

import filecmp
import os
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Backup:
    """What stood at some paths: a copy of each file, and what was not there."""

    copies: dict[Path, Path]
    missing: list[Path]  # files, and the folders that they would need
    folders: list[Path]  # that were there


def back_up(files: Iterable[Path], aside: Path) -> Backup:
    """Copy files into a new folder; note those that are not there."""
    aside.mkdir()
    copies: dict[Path, Path] = {}
    missing: set[Path] = set()
    folders: set[Path] = set()
    for number, file in enumerate(files):
        folders.update(parent for parent in file.parents if is_folder(parent))
        if is_file(file):
            copies[file] = aside / str(number)
            shutil.copy2(file, copies[file], follow_symlinks=False)
        else:
            missing.update(
                path for path in [file, *file.parents] if not os.path.lexists(path)
            )
    return Backup(copies, sorted(missing, reverse=True), sorted(folders))


def restore(kept: Backup, left: Collection[Path] = ()) -> None:
    """Make all as it was, but for what is left: remove what was not there, write what was."""
    for path in kept.missing:  # what a folder holds comes before the folder
        with suppress(OSError):
            if path not in left:
                remove(path)
    for folder in kept.folders:
        if not is_folder(folder):
            remove(folder)
            folder.mkdir()
    for file, copy in kept.copies.items():
        if file not in left and not is_same(file, copy):
            remove(file)
            shutil.copy2(copy, file, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove a file, or a folder in which nothing is; it may be gone already."""
    if is_folder(path):
        path.rmdir()
    elif os.path.lexists(path):
        path.unlink()


def is_folder(path: Path) -> bool:
    """Tell whether a folder stands there, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def is_file(path: Path) -> bool:
    """Tell whether a file stands there, or a link, to whatever it leads."""
    return path.is_file() or path.is_symlink()


def is_same(file: Path, copy: Path) -> bool:
    """Tell whether a file is as it was."""
    if copy.is_symlink() or file.is_symlink():
        return (
            file.is_symlink()
            and copy.is_symlink()
            and file.readlink() == copy.readlink()
        )
    if not file.is_file() or file.stat().st_mode != copy.stat().st_mode:
        return False
    return filecmp.cmp(file, copy, shallow=False)

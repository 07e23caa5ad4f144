"""Copies of files that a merge may change, to restore them if it fails.

`git reset --hard` is no substitute: it would run the same broken filter, or need the
same space, as the merge that failed.
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
    """The state of some paths before a merge."""

    copies: dict[Path, Path]  # the copy of each file that existed
    missing: list[Path]  # files that did not exist, and folders that they need
    folders: list[Path]  # folders that existed


def back_up(files: Iterable[Path], scratch: Path) -> Backup:
    """Copy files to a new folder; note those that do not exist."""
    scratch.mkdir()
    copies: dict[Path, Path] = {}
    missing: set[Path] = set()
    folders: set[Path] = set()
    for number, file in enumerate(files):
        folders.update(parent for parent in file.parents if is_folder(parent))
        if is_file(file):
            copies[file] = scratch / str(number)
            shutil.copy2(file, copies[file], follow_symlinks=False)
        else:
            paths = [file, *file.parents]
            missing.update(path for path in paths if not os.path.lexists(path))
    return Backup(
        copies=copies,
        missing=sorted(missing, reverse=True),  # the content of a folder comes first
        folders=sorted(folders),
    )


def restore(backup: Backup, skip: Collection[Path] = ()) -> None:
    """Restore every path, except those to skip."""
    for path in backup.missing:
        with suppress(OSError):
            if path not in skip:
                remove(path)
    for folder in backup.folders:
        if not is_folder(folder):
            remove(folder)
            folder.mkdir()
    for file, copy in backup.copies.items():
        if file not in skip and not is_same(file, copy):
            remove(file)
            shutil.copy2(copy, file, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove a file or an empty folder, if it exists."""
    if is_folder(path):
        path.rmdir()
    elif os.path.lexists(path):
        path.unlink()


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder, and not a link to one."""
    return path.is_dir() and not path.is_symlink()


def is_file(path: Path) -> bool:
    """Return whether a path is a file or a link."""
    return path.is_file() or path.is_symlink()


def is_same(file: Path, copy: Path) -> bool:
    """Return whether a file equals its copy."""
    if copy.is_symlink():
        return file.is_symlink() and file.readlink() == copy.readlink()
    if file.is_symlink() or not file.is_file():
        return False
    same_mode = file.stat().st_mode == copy.stat().st_mode
    return same_mode and filecmp.cmp(file, copy, shallow=False)

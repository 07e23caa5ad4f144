"""Writing several files so that all of them change, or none."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from bgscaffold.system.atomic_directory import missing_folders, remove_empty_folders
from bgscaffold.system.errors import (
    ChangeInterruptedError,
    ConcurrentEditError,
    FilesNotWrittenError,
)
from bgscaffold.system.signals import ignore_signals, run_interruptibly

Files = dict[Path, Path]  # a file, and the temporary file that replaces it


def write_atomically(contents: dict[Path, bytes], originals: dict[Path, bytes]) -> None:
    """Write all files or, whatever happens, leave everything as it was.

    `originals` is what was read from those that exist. A file that another process has
    changed since is left alone.
    """
    missing = {folder for path in contents for folder in missing_folders(path)}
    temporary: list[Path] = []

    def work() -> None:
        new = write_temporary_files(contents, temporary)
        existing = {path: path.read_bytes() for path in contents if path.exists()}
        old = write_temporary_files(existing, temporary)
        ignore_signals()
        require_unchanged(contents, originals)
        replace_all(new, old)

    def clean_up() -> None:
        for file in temporary:
            file.unlink(missing_ok=True)
        remove_empty_folders(sorted(missing, reverse=True))

    try:
        paths = ", ".join(map(str, contents))
        run_interruptibly(work, clean_up, ChangeInterruptedError(paths))
    except OSError as error:
        file = error.filename or ""
        raise FilesNotWrittenError(file, error.strerror or "") from error


def require_unchanged(contents: Iterable[Path], originals: dict[Path, bytes]) -> None:
    """Refuse to replace a file that another process has changed."""
    for path in contents:
        if (path.read_bytes() if path.exists() else None) != originals.get(path):
            raise ConcurrentEditError(str(path))


def write_temporary_files(
    contents: dict[Path, bytes], temporary: list[Path]
) -> dict[Path, Path]:
    """Write files beside those that they will replace; note them in `temporary`."""
    files = {}
    for path, content in contents.items():
        files[path] = path.with_name(f".{path.name}.{token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.append(files[path])
            write_like(path, files[path], content)
        except OSError as error:  # it names the temporary file, or none
            raise FilesNotWrittenError(str(path), error.strerror or "") from error
    return files


def write_like(path: Path, file: Path, content: bytes) -> None:
    """Write a file with the permissions of the one that it will replace."""
    file.write_bytes(content)
    with suppress(FileNotFoundError):
        file.chmod(path.stat().st_mode)


def replace_all(new: Files, old: Files) -> None:
    """Move the new files into place; if one cannot be moved, move the old ones back."""
    done: list[Path] = []
    try:
        for path, file in new.items():
            os.replace(file, path)
            done.append(path)
    except OSError:
        for path in done:
            os.replace(old[path], path) if path in old else path.unlink()
        raise

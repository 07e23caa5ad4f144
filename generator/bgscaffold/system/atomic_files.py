"""Writing several files so that all of them change, or none."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from bgscaffold.system.atomic_directory import remove_empty_folders
from bgscaffold.system.errors import (
    CommandInterruptedError,
    ConcurrentEditError,
    FilesNotWrittenError,
)
from bgscaffold.system.signals import (
    SIGNALS,
    catch_signals,
    ignore_signals,
    is_interrupt,
)

Pair = tuple[Path, Path]  # a file, and what stands beside it until it takes its place


def write_atomically(contents: dict[Path, bytes], stored: dict[Path, bytes]) -> None:
    """Write all of these files or, whatever happens, leave everything as it was.

    What is `stored` is what was read; a file that is another by now is left to whoever wrote it.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    parents = {
        parent for path in contents for parent in path.parents if not parent.exists()
    }
    beside: list[Path] = []
    try:
        catch_signals()
        new = [
            (path, write_beside(path, content, beside))
            for path, content in contents.items()
        ]
        old = [
            (path, write_beside(path, path.read_bytes(), beside))
            for path in contents
            if path.exists()
        ]
        ignore_signals()
        require_unchanged(contents, stored)
        replace_all(new, old)
    except BaseException as error:
        if is_interrupt(error):
            raise CommandInterruptedError(", ".join(map(str, contents))) from error
        if isinstance(error, OSError):
            raise FilesNotWrittenError(
                error.filename or "", error.strerror or ""
            ) from error
        raise
    finally:
        ignore_signals()
        for file in beside:
            file.unlink(missing_ok=True)
        for folder in sorted(parents, reverse=True):
            remove_empty_folders([folder])
        for number, handler in handlers.items():
            signal.signal(number, handler)


def require_unchanged(contents: Iterable[Path], stored: dict[Path, bytes]) -> None:
    """Refuse to replace what somebody else has written meanwhile."""
    for path in contents:
        if (path.read_bytes() if path.exists() else None) != stored.get(path):
            raise ConcurrentEditError(str(path))


def write_beside(path: Path, content: bytes, beside: list[Path]) -> Path:
    """Write to a new file in the same folder, with the permissions of the file that is there."""
    file = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.append(file)
        file.write_bytes(content)
        with suppress(FileNotFoundError):
            file.chmod(path.stat().st_mode)
    except OSError as error:  # which names this file, or none
        raise FilesNotWrittenError(str(path), error.strerror or "") from error
    return file


def replace_all(new: list[Pair], old: list[Pair]) -> None:
    """Move the new files into their places; when one cannot be, move the old ones back."""
    was = dict(old)
    done: list[Path] = []
    try:
        for path, file in new:
            os.replace(file, path)
            done.append(path)
    except OSError:
        for path in done:
            os.replace(was[path], path) if path in was else path.unlink()
        raise

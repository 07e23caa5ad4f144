"""Writing several files so that all of them change, or none."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from bgscaffold.errors import CannotAdd, Interrupted, is_interrupt
from bgscaffold.staging import SIGNALS, catch_signals, ignore_signals, remove_empty

Pair = tuple[Path, Path]  # a file, and what stands beside it until it takes its place


def write_all(contents: dict[Path, bytes]) -> None:
    """Write all of these files or, whatever happens, leave everything as it was."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    parents = {parent for path in contents for parent in path.parents if not parent.exists()}
    beside: list[Path] = []
    try:
        catch_signals()
        new = [(path, write_beside(path, content, beside)) for path, content in contents.items()]
        old = [
            (path, write_beside(path, path.read_bytes(), beside))
            for path in contents
            if path.exists()
        ]
        ignore_signals()
        replace_all(new, old)
    except BaseException as error:
        if is_interrupt(error):
            raise Interrupted(", ".join(map(str, contents))) from error
        if isinstance(error, OSError):
            raise CannotAdd(error.filename or "", error.strerror or "") from error
        raise
    finally:
        ignore_signals()
        for file in beside:
            file.unlink(missing_ok=True)
        for folder in sorted(parents, reverse=True):
            remove_empty([folder])
        for number, handler in handlers.items():
            signal.signal(number, handler)


def write_beside(path: Path, content: bytes, beside: list[Path]) -> Path:
    """Write to a new file in the same folder, with the permissions of the file that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.{token_hex(4)}")
    beside.append(file)
    file.write_bytes(content)
    with suppress(FileNotFoundError):
        file.chmod(path.stat().st_mode)
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

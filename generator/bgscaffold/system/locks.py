"""One command at a time in a folder."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bgscaffold.system.errors import LockTimeoutError, WriteError

TIMEOUT = 10.0  # seconds; add task takes a fraction of one, an upgrade a few


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make other commands in the folder wait until this one ends."""
    file = lock_file(folder)
    lock = FileLock(file, timeout=TIMEOUT)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockTimeoutError(str(folder)) from error
    except OSError as error:
        raise WriteError(str(file), error.strerror or "") from error
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # filelock notices, and creates another
        lock.release()


def lock_file(folder: Path) -> Path:
    """Return the lock file of a folder; it is elsewhere, so that git never sees it."""
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"bgscaffold-{name}.lock")

"""One at a time: who changes a project waits for whoever does so already."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bgscaffold.system.errors import LockTimeoutError

TIMEOUT = (
    10.0  # seconds; adding takes a fraction of one, a merge with its renders a few
)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Let others wait for the end of this; the lock ends with the process, however that ends.

    The folder itself is locked: a merge puts another file in the place of each that it holds.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # Windows opens no folder, and one may be closed to us
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            wait_for_lock(descriptor, folder)
        yield


def wait_for_lock(descriptor: int, folder: Path) -> None:
    """Lock what is open as soon as nobody else has it locked, or refuse."""
    until = time.monotonic() + TIMEOUT
    while is_locked(descriptor):
        if time.monotonic() > until:
            raise LockTimeoutError(str(folder))
        time.sleep(0.05)


def is_locked(descriptor: int) -> bool:
    """Lock what is open, and tell whether somebody else has done so.

    Where nothing can be locked nobody waits: what comes second finds the files changed.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):  # Windows; some network drives
        pass
    return False

"""One at a time: who adds to a project waits for whoever does so already."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bgscaffold.errors import AtWork
from bgscaffold.render import ANSWERS_FILE

PATIENCE = 10.0  # seconds; adding takes a fraction of one


@contextmanager
def alone_in(project: Path) -> Iterator[None]:
    """Let others wait for the end of this; the lock ends with the process, however that ends."""
    with (project / ANSWERS_FILE).open("rb") as file:
        wait_for_lock(file.fileno(), project)
        yield


def wait_for_lock(descriptor: int, project: Path) -> None:
    """Lock what is open as soon as nobody else has it locked, or refuse."""
    until = time.monotonic() + PATIENCE
    while is_locked(descriptor):
        if time.monotonic() > until:
            raise AtWork(str(project))
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

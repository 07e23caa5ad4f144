"""What a worker does at SIGTERM: tasks finish within SHUTDOWN_GRACE, or their rows are released.

Celery's own warm shutdown waits for ever. Here a process of the pool that runs a task when the
grace is over is interrupted; the attempt does not count, and another worker repeats it.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import Any

from billiard import current_process
from celery import signals
from celery.exceptions import SoftTimeLimitExceeded

from app.background.settings import settings


class Interrupted(SystemExit):
    """The grace is over: the running task is cut off."""


class _Child:
    """A process of the pool, and whether a signal may interrupt it now."""

    runs_task = busy = leaves = False

    def at_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        """From systemd, say, which signals every process: give the task its grace."""
        if not self.busy:
            raise Interrupted
        self.leaves = True
        signal.setitimer(signal.ITIMER_REAL, max(settings.shutdown_grace, 0.001))

    def at_time_limit(self, _number: int, _frame: FrameType | None) -> None:
        """From Celery: a `def` task is over its timeout. What notes its outcome is not a task."""
        if self.runs_task:
            raise SoftTimeLimitExceeded

    def at_sigalrm(self, _number: int, _frame: FrameType | None) -> None:
        """From the worker's main process, or from the timer: the grace is over."""
        if self.runs_task:
            raise Interrupted


_child = _Child()


@contextmanager
def busy() -> Iterator[None]:
    """Let nothing interrupt what is done around a task; leave afterwards if that was asked."""
    if current_process().name != "MainProcess":  # here, for billiard sets its own at the start
        signal.signal(signal.SIGTERM, _child.at_sigterm)
        signal.signal(signal.SIGALRM, _child.at_sigalrm)
        signal.signal(signal.SIGUSR1, _child.at_time_limit)
    _child.busy = True
    try:
        yield
    finally:
        _child.busy = False
        if _child.leaves:
            raise Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the end of the grace raise `Interrupted` here."""
    _child.runs_task = True
    try:
        yield
    finally:
        _child.runs_task = False


def interrupt_after_grace(worker: Any) -> None:
    """Interrupt the tasks of this worker's pool, SHUTDOWN_GRACE after it was told to stop."""

    def interrupt() -> None:
        time.sleep(settings.shutdown_grace)
        while True:  # for a message that was on its way may start one more task
            for process in getattr(getattr(worker.pool, "_pool", None), "_pool", ()):
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGALRM)
            time.sleep(1)

    def begin(**_: Any) -> None:
        Thread(target=interrupt, daemon=True).start()

    signals.worker_shutting_down.connect(begin, weak=False)

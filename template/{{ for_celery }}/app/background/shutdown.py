"""What a worker does at SIGTERM: tasks finish within SHUTDOWN_GRACE, or their rows are released.

Celery's own warm shutdown waits for ever. Here a process of the pool that runs a task when the
grace is over is interrupted; the attempt does not count, and another worker repeats it.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from types import FrameType
from typing import Any

from celery import signals

from app.background.settings import settings


class Interrupted(SystemExit):
    """The grace is over: the running task is cut off."""


class _Child:
    """A process of the pool, and whether a signal may interrupt it now."""

    runs_task = False
    busy = False
    leaves = False

    def at_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        """From systemd, say, which signals every process: give the task its grace, once."""
        if self.busy and not self.leaves:
            self.leaves = True
            signal.setitimer(signal.ITIMER_REAL, max(settings.shutdown_grace, 0.001))
        elif self.runs_task or not self.busy:
            raise Interrupted

    def at_sigalrm(self, _number: int, _frame: FrameType | None) -> None:
        """From the worker's main process, or from the timer: the grace is over."""
        if self.runs_task:
            raise Interrupted


_child = _Child()


@contextmanager
def busy() -> Iterator[None]:
    """Let nothing interrupt what is done around a task; leave afterwards if that was asked."""
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


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def _listen(**_: Any) -> None:
    signal.signal(signal.SIGTERM, _child.at_sigterm)
    signal.signal(signal.SIGALRM, _child.at_sigalrm)


def interrupt_after_grace(worker: Any) -> None:
    """Interrupt the tasks of this worker's pool, SHUTDOWN_GRACE after it was told to stop."""

    def interrupt() -> None:
        for process in getattr(getattr(worker.pool, "_pool", None), "_pool", ()):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGALRM)

    def begin(**_: Any) -> None:
        timer = Timer(settings.shutdown_grace, interrupt)
        timer.daemon = True
        timer.start()

    signals.worker_shutting_down.connect(begin, weak=False)

"""The shutdown of a worker: tasks finish within SHUTDOWN_GRACE, or are released.

Celery's own warm shutdown waits forever. Here a pool process that runs a task when the
grace period is over is interrupted. The attempt does not count, and another worker
repeats it.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import Any

from billiard.process import current_process
from celery import signals
from celery.exceptions import SoftTimeLimitExceeded

from afterward.settings import get_settings


class Interrupted(SystemExit):
    """The grace period is over, and the running task is interrupted."""


class _PoolProcess:
    """What signals may interrupt in this process."""

    runs_task = False
    is_busy = False
    leaves_when_idle = False

    def handle_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        """Give the task its grace period. systemd signals every process of a group."""
        if not self.is_busy:
            raise Interrupted
        self.leaves_when_idle = True
        grace = max(get_settings().shutdown_grace, 0.001)
        signal.setitimer(signal.ITIMER_REAL, grace)

    def handle_time_limit(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt a `def` task after its timeout, but not the write of its outcome."""
        if self.runs_task:
            raise SoftTimeLimitExceeded

    def handle_sigalrm(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt the task, because the grace period is over."""
        if self.runs_task:
            raise Interrupted


_process = _PoolProcess()


@contextmanager
def deferring_signals() -> Iterator[None]:
    """Let no signal interrupt the block. Leave after it if a signal asked for that."""
    if current_process().name != "MainProcess":
        # Set here, because billiard sets its own handlers when a process starts.
        signal.signal(signal.SIGTERM, _process.handle_sigterm)
        signal.signal(signal.SIGALRM, _process.handle_sigalrm)
        signal.signal(signal.SIGUSR1, _process.handle_time_limit)
    _process.is_busy = True
    try:
        yield
    finally:
        _process.is_busy = False
        if _process.leaves_when_idle:
            raise Interrupted


@contextmanager
def allowing_interrupt() -> Iterator[None]:
    """Let the end of the grace period raise `Interrupted` in the block."""
    _process.runs_task = True
    try:
        yield
    finally:
        _process.runs_task = False


def interrupt_after_grace(worker: Any) -> None:
    """Interrupt the tasks of this worker's pool SHUTDOWN_GRACE after its SIGTERM."""

    def interrupt() -> None:
        time.sleep(get_settings().shutdown_grace)
        while True:  # a message that was already received may start one more task
            for process in getattr(getattr(worker.pool, "_pool", None), "_pool", ()):
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGALRM)
            time.sleep(1)

    def start(**_: object) -> None:
        Thread(target=interrupt, daemon=True).start()

    signals.worker_shutting_down.connect(start, weak=False)

"""Attempts: each is timed, counted, logged and, if it fails, reported to hooks."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from afterward.observability.metrics import get_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger("afterward.tasks")
_LEVELS = {
    "succeeded": logging.INFO,
    "cancelled": logging.INFO,
    "released": logging.WARNING,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt. `outcome` is "retrying" if another attempt follows."""

    task: str
    task_id: str
    attempt: int
    error: BaseException
    outcome: str


_HOOKS: list[Callable[[Failure], None]] = []


def on_failure(hook: Callable[[Failure], None]) -> Callable[[Failure], None]:
    """Register a function that is called at every failed attempt, in its process.

    Use it for an error tracker. It must not block. What it raises is logged.
    """
    if hook not in _HOOKS:
        _HOOKS.append(hook)
    return hook


@dataclass
class Attempt:
    """One attempt of a task run."""

    task: str
    task_id: str
    number: int = 1
    due_at: datetime | None = None  # of a first attempt; None for later ones
    seconds: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure the block as the execution of the task."""
        metrics = get_metrics()
        if self.due_at:
            waited = (datetime.now(UTC) - self.due_at).total_seconds()
            metrics.wait.labels(self.task).observe(max(0.0, waited))
        started = time.perf_counter()
        with metrics.running.labels(self.task).track_inprogress():
            try:
                yield
            finally:
                self.seconds = time.perf_counter() - started
                metrics.duration.labels(self.task).observe(self.seconds)

    def count(self, outcome: str) -> None:
        """Count the attempt."""
        get_metrics().attempts.labels(self.task, outcome).inc()

    def finish(self, outcome: str, error: BaseException | None = None) -> None:
        """Count the attempt, and log one line, with the traceback of an error."""
        self.count(outcome)
        log.log(
            _LEVELS.get(outcome, logging.ERROR),
            "%s",
            f"task {self.task} [{self.task_id}] {outcome}: attempt {self.number},"
            f" {self.seconds:.2f} s",
            exc_info=error,
            extra={
                "task": self.task,
                "task_id": self.task_id,
                "outcome": outcome,
                "attempt": self.number,
                "seconds": round(self.seconds, 3),
            },
        )

    def fail(self, error: BaseException, outcome: str) -> None:
        """Finish the attempt with an error, and call the hooks."""
        self.finish(outcome, error)
        failure = Failure(
            task=self.task,
            task_id=self.task_id,
            attempt=self.number,
            error=error,
            outcome=outcome,
        )
        for hook in _HOOKS:
            try:
                hook(failure)
            except Exception:
                log.exception("the on_failure hook %r failed", hook)

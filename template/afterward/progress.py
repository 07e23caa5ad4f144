"""Progress of the running task."""

from collections.abc import Callable
from contextvars import ContextVar

# Set by the durable backends while a task runs.
report_progress: ContextVar[Callable[[float, str], None] | None] = ContextVar(
    "report_progress", default=None
)


def progress(fraction: float, note: str = "") -> None:
    """Record how far the running task is; its status shows it within TASK_SWEEP seconds.

    Outside a task, and under simple and async, it does nothing.

    Args:
        fraction: From 0 to 1.
        note: What the task does now.

    Raises:
        ValueError: The fraction is not from 0 to 1.
        TypeError: The note is not a string.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"progress({fraction!r}): the fraction must be from 0 to 1.")
    if not isinstance(note, str):
        raise TypeError(f"progress({fraction}, {note!r}): the note must be a string.")
    if report := report_progress.get():
        report(fraction, note)

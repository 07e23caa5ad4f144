"""Waiting for an event instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT = 60.0  # seconds; only a failing test waits that long
T = TypeVar("T")


def until(
    condition: Callable[[], T], what: Callable[[], str], timeout: float = TIMEOUT
) -> T:
    """Return the condition's first true value.

    Raises:
        AssertionError: The condition was not true within the timeout.
    """
    started = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - started
        if waited > timeout:
            raise AssertionError(f"waited {timeout:.0f} s for {what()}")
        time.sleep(min(0.01 + waited / 10, 0.05))  # a busy poll slows what it waits for
    return value

"""Running a task in this process."""

import inspect
from collections.abc import Callable
from typing import Any


async def perform(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function, and await what it returns."""
    result = function(*args)
    if inspect.isawaitable(result):
        result = await result
    return result

"""Runs a task inside the web process."""

import asyncio
import logging
from functools import partial

from anyio import CapacityLimiter, to_thread

from app.background.task import TaskRun

log = logging.getLogger(__name__)


async def perform(run: TaskRun, threads: CapacityLimiter) -> None:
    """Await an `async def` task, or run a `def` task in a thread, and raise what it raises.

    Args:
        run: The task run.
        threads: The backend's own limiter: tasks must not take the threads that `def` routes need.
    """
    call = partial(run.task.func, *run.args, **run.kwargs)
    if run.task.is_async:
        await call()
    else:
        # A thread cannot be stopped. When the drain gives up on it, it is left behind.
        await to_thread.run_sync(call, limiter=threads, abandon_on_cancel=True)


async def perform_contained(run: TaskRun, threads: CapacityLimiter) -> None:
    """Perform, and log whatever the task raises, so that it harms nothing but itself."""
    try:
        await perform(run, threads)
    except asyncio.CancelledError:
        if (current := asyncio.current_task()) and current.cancelling():
            raise  # from outside: the server stops
        log.exception("task %s failed", run)
    except (Exception, SystemExit, KeyboardInterrupt):
        log.exception("task %s failed", run)

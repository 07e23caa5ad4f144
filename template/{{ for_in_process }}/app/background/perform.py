"""Runs a task inside the web process."""

import asyncio
import logging
from functools import partial

from anyio import CapacityLimiter, to_thread

from app.background.task import TaskRun
from app.monitoring import Attempt

log = logging.getLogger(__name__)


async def perform(run: TaskRun, threads: CapacityLimiter) -> None:
    """Await an `async def` task, or run a `def` task in a thread, and raise what it raises.

    Args:
        run: The task run.
        threads: The backend's own limiter: tasks must not take the threads that `def` routes need.
    """
    call = partial(run.task.func, *run.args, **run.kwargs)
    timeout = run.task.options.get("timeout")
    if run.task.is_async:
        async with asyncio.timeout(timeout):
            await call()
        return
    late = asyncio.get_running_loop().call_later(timeout or 1e9, _warn, run)
    try:
        # A thread cannot be stopped. When the drain gives up on it, it is left behind.
        await to_thread.run_sync(call, limiter=threads, abandon_on_cancel=True)
    finally:
        late.cancel()


def _warn(run: TaskRun) -> None:
    log.warning(
        "task %s is over its timeout; a `def` task goes on, for no thread can be ended", run
    )


async def perform_contained(run: TaskRun, threads: CapacityLimiter) -> None:
    """Perform, and log whatever the task raises, so that it harms nothing but itself."""
    attempt = Attempt(run.task.name, run.task_id, due=run.created_at)
    try:
        with attempt.measured():
            await perform(run, threads)
    except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and cancelled_from_outside():
            attempt.counted("cut off")
            raise
        attempt.failed(error, "failed")
    else:
        attempt.ended("succeeded")


def cancelled_from_outside() -> bool:
    """Tell whether the server stops; a task may also raise CancelledError by itself."""
    return bool((current := asyncio.current_task()) and current.cancelling())

"""Executing one task run on the event loop, or in a thread."""

import asyncio
import logging
from functools import partial

from anyio import CapacityLimiter, to_thread

from afterward.observability.attempts import Attempt
from afterward.tasks import TaskRun

log = logging.getLogger(__name__)
NO_TIMEOUT = 1e9  # seconds


async def execute(run: TaskRun, threads: CapacityLimiter) -> None:
    """Await an `async def` task, or run a `def` task in a thread. It raises what it raises.

    Args:
        run: The task run.
        threads: The backend's own limiter. `def` routes keep the threads that they need.
    """
    call = partial(run.task.func, *run.args, **run.kwargs)
    timeout = run.task.options.get("timeout")
    if run.task.is_async:
        async with asyncio.timeout(timeout):
            await call()
        return
    loop = asyncio.get_running_loop()
    late = loop.call_later(timeout or NO_TIMEOUT, _warn_late, run)
    try:
        # A thread cannot be stopped. When the drain gives up, the thread is left behind.
        await to_thread.run_sync(call, limiter=threads, abandon_on_cancel=True)
    finally:
        late.cancel()


def _warn_late(run: TaskRun) -> None:
    log.warning(
        "task %s exceeds its timeout; it continues, because a thread cannot be stopped",
        run,
    )


async def execute_and_log(run: TaskRun, threads: CapacityLimiter) -> None:
    """Execute a task run, and log whatever it raises, so that nothing else fails."""
    attempt = Attempt(task=run.task.name, task_id=run.task_id, due_at=run.created_at)
    try:
        with attempt.timed():
            await execute(run, threads)
    except (
        Exception,
        SystemExit,
        KeyboardInterrupt,
        asyncio.CancelledError,
    ) as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled_from_outside():
            attempt.count("cut off")
            raise
        attempt.fail(error, "failed")
    else:
        attempt.finish("succeeded")


def is_cancelled_from_outside() -> bool:
    """Return whether the server stops. A task may also raise CancelledError by itself."""
    current = asyncio.current_task()
    return bool(current and current.cancelling())

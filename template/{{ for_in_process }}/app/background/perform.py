"""Runs a task inside the web process."""

from functools import partial

from anyio import CapacityLimiter, to_thread

from app.background.task import TaskRun


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

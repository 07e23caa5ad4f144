"""Pattern async: the event loop runs the tasks of all requests, concurrent and bounded.

Promises: at most TASK_CONCURRENCY tasks run at a time, and the others wait. A failing
task is logged and stops no other. A wrong argument fails the request. On SIGTERM, tasks
finish within the grace period, and those that are cut off are logged by name.

Does not promise: anything after a crash. A task exists in this process only, and is lost
with it. There are no retries and no status.
"""

import asyncio

from afterward.backends.in_process import InProcess
from afterward.tasks import TaskRun


class Async(InProcess):
    """Runs tasks concurrently in the web process."""

    name = "async"
    default_concurrency = 20  # tasks at a time

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Start the tasks of one request."""
        self.start(runs)

    async def run_all(self, runs: list[TaskRun]) -> None:
        """Run tasks, as many at a time as slots are free."""
        await asyncio.gather(*(self._run_in_slot(run) for run in runs))

    async def _run_in_slot(self, run: TaskRun) -> None:
        async with self._slots:
            await self._run(run)

    def _limit(self) -> None:
        super()._limit()
        self._slots = asyncio.Semaphore(self._concurrency)

"""Pattern simple: FastAPI's own `BackgroundTasks` runs the tasks after the response.

Promises: the tasks of a request run one after another, after its response. A failing
task is logged and does not stop the next one. A wrong argument fails the request. On
SIGTERM, tasks may finish within the grace period.

Does not promise: anything after a crash. A task exists in this process only, and is lost
with it. There are no retries and no status.
"""

from afterward.backends.in_process import InProcess
from afterward.tasks import TaskRun


class Simple(InProcess):
    """Runs the tasks of a request one after another in the web process."""

    name = "simple"
    default_concurrency = 10  # threads for `def` tasks

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Run the tasks of one request. The server waits for them when it stops."""
        self._unfinished |= {run.task_id: run for run in runs}
        await self.run_all(runs)

    async def run_all(self, runs: list[TaskRun]) -> None:
        """Run tasks one after another."""
        for run in runs:
            await self._run(run)

"""Pattern async: one bounded runner on the event loop runs the tasks of all requests concurrently.

Promises: at most TASK_CONCURRENCY tasks run at a time, the others wait their turn; one that fails
is logged and stops no other; a wrong argument fails the request; on SIGTERM tasks finish within the
grace, and those cut off are logged by name. Does not promise: anything after a crash. A task lives
in this process only, and is lost with it. There is no retry and no status.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

import anyio
from sqlalchemy.orm import Session

from app.background.no_outbox import delete_old_task_runs, progress, report, router
from app.background.perform import perform_contained
from app.background.settings import settings
from app.background.task import TaskRun, check_options

__all__ = ["backend", "delete_old_task_runs", "lifespan", "progress", "report", "router"]

log = logging.getLogger(__name__)


class Async:
    """Runs tasks concurrently in the web process."""

    supports = frozenset({"timeout", "start after response"})

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live: dict[asyncio.Task[None], TaskRun] = {}

    def insert(self, session: Session, runs: list[TaskRun], *, in_request: bool = False) -> None:
        """Keep nothing: this pattern has no outbox."""

    async def after_response(self, runs: list[TaskRun]) -> None:
        """Hand the tasks of one request to the runner."""
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Hand tasks to the runner. Callable from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._spawn, runs)
        else:  # a script: its process ends when this thread has
            Thread(target=anyio.run, args=(self._run_all, runs)).start()

    def _spawn(self, runs: list[TaskRun]) -> None:
        for run in runs:
            running = asyncio.create_task(self._run(run))
            self._live[running] = run  # a reference: the loop itself would let it be collected
            running.add_done_callback(self._live.pop)

    async def _run(self, run: TaskRun) -> None:
        async with self._slots:
            await perform_contained(run, self._threads)

    async def _run_all(self, runs: list[TaskRun]) -> None:
        self._open()
        await asyncio.gather(*(self._run(run) for run in runs))

    def _open(self) -> None:
        self._slots = asyncio.Semaphore(settings.task_concurrency)
        self._threads = anyio.CapacityLimiter(settings.task_concurrency)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Serve, then drain."""
        self._open()
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            await self._drain()
            self._loop = None

    async def _drain(self) -> None:
        deadline = asyncio.get_running_loop().time() + settings.shutdown_grace
        while self._live and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._live, timeout=left)  # a task may have enqueued another
        for running, run in list(self._live.items()):
            log.error("task %s was cut off by the shutdown", run)
            running.cancel()
        await asyncio.gather(*self._live, return_exceptions=True)


backend = Async()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Check the tasks' options, and run tasks as long as the block lasts."""
    check_options("async", backend.supports)
    async with backend.lifespan():
        yield

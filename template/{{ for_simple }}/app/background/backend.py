"""Pattern simple: FastAPI's own `BackgroundTasks` runs the tasks after the response.

Promises: the tasks of a request run one after another, after its response; one that fails is logged
and does not stop the next; a wrong argument fails the request; on SIGTERM they may finish within
the grace. Does not promise: anything after a crash. A task lives in this process only, and is lost
with it. There is no retry and no status.
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


class Simple:
    """Runs tasks one after another in the web process."""

    supports = frozenset({"timeout", "start after response"})

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(settings.task_concurrency)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._chains: set[asyncio.Task[None]] = set()
        self._unfinished: dict[str, TaskRun] = {}

    def insert(self, session: Session, runs: list[TaskRun], *, in_request: bool = False) -> None:
        """Keep nothing: this pattern has no outbox."""

    async def after_response(self, runs: list[TaskRun]) -> None:
        """Run the tasks of one request, one after another."""
        self._unfinished |= {run.task_id: run for run in runs}
        for run in runs:
            await perform_contained(run, self._threads)
            del self._unfinished[run.task_id]

    def start(self, runs: list[TaskRun]) -> None:
        """Run tasks that were enqueued outside a request. Callable from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._spawn, runs)
        else:  # a script: its process ends when this thread has
            Thread(target=anyio.run, args=(self.after_response, runs)).start()

    def _spawn(self, runs: list[TaskRun]) -> None:
        chain = asyncio.create_task(self.after_response(runs))
        self._chains.add(chain)
        chain.add_done_callback(self._chains.discard)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Serve, then drain. The server has already waited for the tasks of the requests."""
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            if self._chains:
                await asyncio.wait(self._chains, timeout=settings.shutdown_grace)
            for run in self._unfinished.values():
                log.error("task %s was cut off by the shutdown", run)
            self._loop = None


backend = Simple()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Check the tasks' options, and run tasks as long as the block lasts."""
    check_options("simple", backend.supports)
    async with backend.lifespan():
        yield

"""Pattern simple: FastAPI's own `BackgroundTasks` runs the tasks after the response.

Promises: the tasks of a request run one after another, after its response. A failing
task is logged and does not stop the next one. A wrong argument fails the request. On
SIGTERM, tasks may finish within the grace period.

Does not promise: anything after a crash. A task exists in this process only, and is lost
with it. There are no retries and no status.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio

from afterward.backend import COMMON, Application, BackendStatus, Option
from afterward.runner.execute import execute_and_log
from afterward.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter

    from afterward.tasks import TaskRun

DEFAULT_CONCURRENCY = 10  # threads for `def` tasks
log = logging.getLogger(__name__)


class Simple:
    """Runs the tasks of a request one after another in the web process."""

    name = "simple"
    supports = COMMON | {Option.START_AFTER_RESPONSE}
    is_durable = False

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: anyio.CapacityLimiter | None = None
        self._chains: set[asyncio.Task[None]] = set()
        self._unfinished: dict[str, TaskRun] = {}

    def connect(self, application: Application) -> None:
        """This backend needs nothing of the application."""

    def routers(self) -> list[APIRouter]:
        """There is nothing to look up."""
        return []

    def insert(self, session: Any, runs: list[TaskRun], *, in_request: bool) -> None:
        """There is no outbox."""

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Run the tasks of one request, one after another."""
        if self._threads is None:
            concurrency = get_settings().task_concurrency or DEFAULT_CONCURRENCY
            self._threads = anyio.CapacityLimiter(concurrency)
        self._unfinished |= {run.task_id: run for run in runs}
        for run in runs:
            await execute_and_log(run, self._threads)
            del self._unfinished[run.task_id]

    def start(self, runs: list[TaskRun]) -> None:
        """Run tasks that were enqueued outside a request. Callable from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._spawn, runs)
        else:  # a script: its process ends when this thread has ended
            Thread(target=anyio.run, args=(self.start_after_response, runs)).start()

    def _spawn(self, runs: list[TaskRun]) -> None:
        chain = asyncio.create_task(self.start_after_response(runs))
        self._chains.add(chain)
        chain.add_done_callback(self._chains.discard)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run tasks, then drain. The server itself waits for the tasks of requests."""
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            if self._chains:
                grace = get_settings().shutdown_grace
                await asyncio.wait(self._chains, timeout=grace)
            for run in self._unfinished.values():
                log.error("task %s was cut off by the shutdown", run)
            self._loop = None

    async def status(self) -> BackendStatus:
        """Nothing can be down."""
        return BackendStatus()

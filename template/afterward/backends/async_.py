"""Pattern async: the event loop runs the tasks of all requests, concurrent and bounded.

Promises: at most TASK_CONCURRENCY tasks run at a time, and the others wait. A failing
task is logged and stops no other. A wrong argument fails the request. On SIGTERM, tasks
finish within the grace period, and those that are cut off are logged by name.

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

DEFAULT_CONCURRENCY = 20
log = logging.getLogger(__name__)


class Async:
    """Runs tasks concurrently in the web process."""

    name = "async"
    supports = COMMON | {Option.START_AFTER_RESPONSE}
    is_durable = False

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[asyncio.Task[None], TaskRun] = {}

    def connect(self, application: Application) -> None:
        """This backend needs nothing of the application."""

    def routers(self) -> list[APIRouter]:
        """There is nothing to look up."""
        return []

    def insert(self, session: Any, runs: list[TaskRun], *, in_request: bool) -> None:
        """There is no outbox."""

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Start the tasks of one request."""
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Start tasks. Callable from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._spawn, runs)
        else:  # a script: its process ends when this thread has ended
            Thread(target=anyio.run, args=(self._run_all, runs)).start()

    def _spawn(self, runs: list[TaskRun]) -> None:
        for run in runs:
            running = asyncio.create_task(self._run(run))
            # The loop itself keeps only a weak reference.
            self._running[running] = run
            running.add_done_callback(self._running.pop)

    async def _run(self, run: TaskRun) -> None:
        async with self._slots:
            await execute_and_log(run, self._threads)

    async def _run_all(self, runs: list[TaskRun]) -> None:
        self._prepare()
        await asyncio.gather(*(self._run(run) for run in runs))

    def _prepare(self) -> None:
        concurrency = get_settings().task_concurrency or DEFAULT_CONCURRENCY
        self._slots = asyncio.Semaphore(concurrency)
        self._threads = anyio.CapacityLimiter(concurrency)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run tasks, then drain."""
        self._prepare()
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            await self._drain(self._loop.time() + get_settings().shutdown_grace)
            self._loop = None

    async def _drain(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while self._running and (seconds := deadline - loop.time()) > 0:
            # A task may enqueue another one.
            await asyncio.wait(self._running, timeout=seconds)
        for running, run in list(self._running.items()):
            log.error("task %s was cut off by the shutdown", run)
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def status(self) -> BackendStatus:
        """Nothing can be down."""
        return BackendStatus()

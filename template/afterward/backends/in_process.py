"""What the backends `simple` and `async_` share: a task run exists in this process only."""

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

log = logging.getLogger(__name__)


class InProcess:
    """Runs tasks in the web process, and drains them when it stops."""

    supports = COMMON | {Option.START_AFTER_RESPONSE}
    is_durable = False
    default_concurrency: int

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: anyio.CapacityLimiter | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._unfinished: dict[str, TaskRun] = {}

    def connect(self, application: Application) -> None:
        """This backend needs nothing of the application."""

    def routers(self) -> list[APIRouter]:
        """There is nothing to look up."""
        return []

    def insert(self, session: Any, runs: list[TaskRun], *, in_request: bool) -> None:
        """There is no outbox."""

    def start(self, runs: list[TaskRun]) -> None:
        """Start tasks. Callable from any thread."""
        self._unfinished |= {run.task_id: run for run in runs}
        if self._loop:
            self._loop.call_soon_threadsafe(self._spawn, runs)
        else:  # a script: its process ends when this thread has ended
            Thread(target=anyio.run, args=(self._run_in_script, runs)).start()

    async def run_all(self, runs: list[TaskRun]) -> None:
        """Run tasks, and return when they have ended."""
        raise NotImplementedError

    def _spawn(self, runs: list[TaskRun]) -> None:
        running = asyncio.create_task(self.run_all(runs))
        self._running.add(running)  # the loop itself keeps only a weak reference
        running.add_done_callback(self._running.discard)

    async def _run_in_script(self, runs: list[TaskRun]) -> None:
        self._limit()
        await self.run_all(runs)

    async def _run(self, run: TaskRun) -> None:
        if self._threads is None:
            self._limit()
        assert self._threads
        await execute_and_log(run, self._threads)
        self._unfinished.pop(run.task_id, None)

    def _limit(self) -> None:
        """Make the limits of this event loop."""
        self._threads = anyio.CapacityLimiter(self._concurrency)

    @property
    def _concurrency(self) -> int:
        return get_settings().task_concurrency or self.default_concurrency

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run tasks, then drain. The server itself waits for the responses."""
        self._limit()
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
        for run in self._unfinished.values():
            log.error("task %s was cut off by the shutdown", run)
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def status(self) -> BackendStatus:
        """Nothing can be down."""
        return BackendStatus()

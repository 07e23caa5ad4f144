"""Pattern safe: tasks run in the web process, from an outbox in the database.

Promises: a task accepted with 202 is never lost. It is enqueued in the request's own
transaction. After a crash, another process resumes it when its lease has ended. A failing
task is retried with backoff and jitter, and then dead, with its traceback in its row. Its
status can be queried. On SIGTERM, a task finishes within the grace period, or runs again
later: at once if it is `async def`. A thread cannot be stopped, so a `def` task keeps its
lease until it ends, or until this process ends.

Does not promise: exactly once. A task may run again after a crash, so it must be
idempotent. Tasks run on one machine. For several machines, use celery.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from afterward.backend import DURABLE, Application, BackendStatus, Option
from afterward.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter

    from afterward.runner.runner import Runner
    from afterward.tasks import TaskRun

DEFAULT_CONCURRENCY = 10


class Safe:
    """Writes task runs into the outbox, and wakes the runner of this process."""

    name = "safe"
    supports = DURABLE | {Option.START_AFTER_RESPONSE}
    is_durable = True

    def __init__(self) -> None:
        self._runner: Runner | None = None

    def connect(self, application: Application) -> None:
        """Use the application's database."""
        from afterward.outbox.heartbeat import Heartbeat

        self._database = application.database
        self._heartbeat = Heartbeat(self._database)

    def routers(self) -> list[APIRouter]:
        """Return the routes below /tasks."""
        from afterward.web import tasks_api

        return [tasks_api.create_router(self._database)]

    def insert(self, session: Any, runs: list[TaskRun], *, in_request: bool) -> None:
        """Write rows that only this process claims until the response has been sent."""
        from afterward.outbox.insert import insert_runs

        head_start = get_settings().lease if in_request else timedelta(0)
        insert_runs(session, runs, head_start)

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Start the tasks of one request, or let other processes start them."""
        from afterward.outbox import claims

        if self._runner and self._runner.is_full:
            task_ids = [run.task_id for run in runs]
            await self._database.execute_async(claims.make_available(task_ids))
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Start tasks now. After a script, the sweep of a server finds the rows."""
        if self._runner:
            self._runner.wake([run for run in runs if "run_at" not in run.options])

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run tasks and prune old rows, then drain."""
        from afterward.runner.runner import Runner

        concurrency = get_settings().task_concurrency or DEFAULT_CONCURRENCY
        self._runner = Runner(self._database, self._heartbeat, concurrency)
        serving = asyncio.create_task(self._runner.serve())
        pruning = asyncio.create_task(self._prune_regularly())
        try:
            yield
        finally:
            pruning.cancel()
            await self._runner.drain(serving)
            self._runner = None

    async def _prune_regularly(self) -> None:
        from afterward.database import logging_errors
        from afterward.outbox import maintenance

        while True:
            with logging_errors("prune old task runs"):
                await asyncio.to_thread(maintenance.prune, self._database)
            await asyncio.sleep(maintenance.PRUNE_INTERVAL)

    async def status(self) -> BackendStatus:
        """Return the depth of the outbox."""
        from afterward.outbox import queries

        return await queries.outbox_status(self._database, runner="runner")

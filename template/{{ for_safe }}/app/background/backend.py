"""Pattern safe: tasks run in the web process, from an outbox in the database.

Promises: a task accepted with 202 is never lost. It is enqueued in the request's own transaction,
resumed after a crash when its lease has ended, retried with backoff and jitter, and then dead, with
its traceback in its row; its state can be asked for. On SIGTERM it finishes within the grace, or it
is run again later: at once if it is `async def`; a thread cannot be stopped, so a `def` task keeps
its lease until it, or this process, has ended. Does not promise: exactly once. A task may run again
after a crash, so it must be idempotent. SQLite serves one machine; for several use PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy.orm import Session

from app import database
from app.background import enqueue, outbox, upkeep
from app.background.enqueue import SUPPORTED
from app.background.lease import progress
from app.background.router import router
from app.background.runner import Runner
from app.background.settings import settings
from app.background.task import TaskRun, check_options
from app.background.upkeep import delete_old_task_runs
from app.monitoring import Report

__all__ = ["backend", "delete_old_task_runs", "lifespan", "progress", "report", "router"]


class Safe:
    """Enqueues into the outbox, and wakes the runner of this process."""

    supports = SUPPORTED | {"start after response"}

    def __init__(self) -> None:
        self.runner: Runner | None = None

    def insert(self, session: Session, runs: list[TaskRun], *, in_request: bool = False) -> None:
        """Insert the rows into the session's transaction.

        Before the response no sweep starts them, unless this process has died, as after a crash.
        """
        lease = timedelta(seconds=settings.task_lease)
        enqueue.insert(session, runs, lease if in_request else timedelta(0))

    async def after_response(self, runs: list[TaskRun]) -> None:
        """Start the tasks of one request, or let other processes do so."""
        if self.runner and self.runner.is_full:
            await database.execute_async(outbox.offer(run.task_id for run in runs))
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Start tasks now; from a script nothing is started: a server's sweep finds the rows."""
        if self.runner:
            self.runner.wake([run for run in runs if "run_at" not in run.options])


backend = Safe()


async def report() -> Report:
    """Return how the outbox fares."""
    return await upkeep.report("runner")


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Check the tasks' options, run tasks as long as the block lasts, then drain."""
    check_options("safe", backend.supports)
    backend.runner = Runner()
    serving = asyncio.create_task(backend.runner.serve())
    try:
        yield
    finally:
        await backend.runner.drain(serving)
        backend.runner = None

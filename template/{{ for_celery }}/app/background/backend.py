"""Pattern celery: Celery workers run the tasks, from an outbox in the database.

Promises: a task accepted with 202 is never lost, whatever dies: API, worker, broker. It is enqueued
in the request's own transaction, delivered when the broker is back, resumed after a crash when its
lease has ended, retried with backoff and jitter, and then dead, with its traceback in its row; its
state can be asked for. Does not promise: exactly once. A task may run again after a crash, so it
must be idempotent. Nor that it waits for the response: a worker may start it once it is committed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy.orm import Session

from app.background import enqueue, upkeep
from app.background.enqueue import SUPPORTED
from app.background.lease import progress
from app.background.publisher import publisher
from app.background.router import router
from app.background.settings import settings
from app.background.task import TaskRun, check_options
from app.background.upkeep import delete_old_task_runs
from app.monitoring import Report

__all__ = ["backend", "delete_old_task_runs", "lifespan", "progress", "report", "router"]


class CeleryWorkers:
    """Enqueues into the outbox, and wakes the publisher."""

    supports = SUPPORTED | {"queue"}

    def insert(self, session: Session, runs: list[TaskRun], *, in_request: bool = False) -> None:
        """Insert the rows into the session's transaction."""
        enqueue.insert(session, runs)

    async def after_response(self, runs: list[TaskRun]) -> None:
        """Publish the tasks of one request."""
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Wake the publisher. Callable from any thread; never waits for the broker."""
        publisher.wake()


backend = CeleryWorkers()


async def report() -> Report:
    """Return how the outbox and the broker fare."""
    found = await upkeep.report("worker")
    return found if publisher.answers else replace(found, degraded=["broker", *found.degraded])


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Check the tasks' options, and publish as long as the block lasts."""
    settings.refuse_embedded_broker_in_production()
    check_options("celery", backend.supports)
    publisher.start(sweep=settings.task_sweep)
    try:
        yield
    finally:
        publisher.stop()

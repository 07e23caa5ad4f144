"""Pattern celery: Celery workers run the tasks, from an outbox in the database.

Promises: a task accepted with 202 is never lost, whatever dies: API, worker, broker. It is enqueued
in the request's own transaction, delivered when the broker is back, resumed after a crash when its
lease has ended, retried with backoff and jitter, and then dead, with its traceback in its row; its
state can be asked for. Does not promise: exactly once. A task may run again after a crash, so it
must be idempotent. Nor that it waits for the response: a worker may start it once it is committed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.orm import Session

from app.background import outbox
from app.background.publisher import publisher
from app.background.router import router
from app.background.settings import settings
from app.background.table import task_runs
from app.background.task import TaskRun, check_options

__all__ = ["backend", "lifespan", "router"]


class CeleryWorkers:
    """Enqueues into the outbox, and wakes the publisher."""

    supports_retries = True
    supports_status = True
    supports_transactions = True
    supports_start_after_response = False

    def insert(self, session: Session, runs: list[TaskRun]) -> None:
        """Insert the rows into the session's transaction."""
        session.execute(task_runs.insert(), outbox.rows(runs))

    async def after_response(self, runs: list[TaskRun]) -> None:
        """Publish the tasks of one request."""
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Wake the publisher. Callable from any thread; never waits for the broker."""
        publisher.wake()


backend = CeleryWorkers()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Check the tasks' options, and publish as long as the block lasts."""
    settings.refuse_embedded_broker_in_production()
    check_options("celery", backend)
    publisher.start(sweep=settings.task_sweep)
    try:
        yield
    finally:
        publisher.stop()

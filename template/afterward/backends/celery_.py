"""Pattern celery: Celery workers run the tasks, from an outbox in the database.

Promises: a task accepted with 202 is never lost, whatever crashes: API, worker or broker.
It is enqueued in the request's own transaction, and delivered when the broker is back.
After a crash, another worker resumes it when its lease has ended. A failing task is
retried with backoff and jitter, and then dead, with its traceback in its row. Its status
can be queried.

Does not promise: exactly once. A task may run again after a crash, so it must be
idempotent. A worker may start a task as soon as its row is committed, possibly before the
response is sent.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from afterward.backend import DURABLE, Application, BackendStatus, Option
from afterward.requirements import require
from afterward.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import celery
    from fastapi import APIRouter

    from afterward.tasks import TaskRun
    from afterward.workers.publisher import Publisher


class Celery:
    """Writes task runs into the outbox, and wakes the publisher.

    Attributes:
        app: The Celery application, for `celery --app app.background worker`.
    """

    name = "celery"
    supports = DURABLE | {Option.QUEUE}
    is_durable = True

    app: celery.Celery
    _publisher: Publisher

    def __init__(self) -> None:
        require("celery", "Pattern celery")
        from afterward.workers.app import create_celery_app

        self.app = create_celery_app()

    def connect(self, application: Application) -> None:
        """Use the application's database, and let its workers find its tasks."""
        from afterward.workers.publisher import Publisher
        from afterward.workers.setup import set_up_workers

        self._database = application.database
        self._publisher = Publisher(self._database, self.app)
        set_up_workers(self.app, application, self._publisher)

    def routers(self) -> list[APIRouter]:
        """Return the routes below /tasks."""
        from afterward.web import tasks_api

        return [tasks_api.create_router(self._database)]

    def insert(self, session: Any, runs: list[TaskRun], *, in_request: bool) -> None:
        """Write the rows."""
        from afterward.outbox.insert import insert_runs

        insert_runs(session, runs)

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Publish wake-ups for the tasks of one request."""
        self.start(runs)

    def start(self, runs: list[TaskRun]) -> None:
        """Wake the publisher. Callable from any thread; never waits for the broker."""
        self._publisher.wake()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Publish wake-ups while the API serves."""
        settings = get_settings()
        settings.require_production_broker()
        self._publisher.start(sweep=settings.task_sweep)
        try:
            yield
        finally:
            self._publisher.stop()

    async def status(self) -> BackendStatus:
        """Return the depth of the outbox, and whether the broker answers."""
        from afterward.outbox import queries

        status = await queries.outbox_status(self._database, runner="worker")
        if self._publisher.broker_answers:
            return status
        return replace(status, degraded=["broker", *status.degraded])

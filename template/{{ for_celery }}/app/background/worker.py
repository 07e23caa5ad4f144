"""The worker: `celery --app app.background.worker worker`.

Every task is registered in Celery under its own name, so that monitoring, routing and rate limits
see it; the body of them all is `execute`: it claims the row, runs the task and notes the outcome.
"""

import asyncio
import logging
import time
from functools import cache
from typing import Any

import sqlalchemy as sa
from celery import bootsteps

from app import database, domains
from app.background import outbox
from app.background.backend import backend
from app.background.celery_app import celery_app
from app.background.lease import leases
from app.background.publisher import publish_due
from app.background.settings import settings
from app.background.table import Claim
from app.background.task import TASKS, TaskRun, check_options

log = logging.getLogger(__name__)


def execute(task_id: str, attempts: int) -> None:
    """Run the task of this row, unless another message of the same attempt has already done so."""
    found = _execute(outbox.claim(outbox.announced(task_id, attempts)))
    if not found:
        return
    claim = Claim.of(found[0])
    leases.hold(claim)
    try:
        _perform(claim.run)
    except BaseException as error:
        log.error("task %s, attempt %d failed", claim.run, claim.attempt, exc_info=error)
        _persist(outbox.fail(claim, error, outbox.backoff(claim)))
    else:
        _persist(outbox.succeed(claim))
    leases.drop(claim)


def clean() -> None:
    """Delete old task runs. Doing it twice does no harm, so beat sends it past the outbox."""
    _execute(outbox.clean())


def _perform(run: TaskRun) -> None:
    if run.task.is_async:
        _loop().run(run.task.func(*run.args, **run.kwargs))
    else:
        run.task.func(*run.args, **run.kwargs)


@cache
def _loop() -> asyncio.Runner:
    """Return this process's event loop. It is kept, so that async clients survive between tasks."""
    return asyncio.Runner()


def _execute(statement: sa.Executable) -> list[sa.Row[Any]]:
    with database.sync_engine().begin() as connection:
        result = connection.execute(statement)
        return list(result) if result.returns_rows else []


def _persist(statement: sa.Executable) -> None:
    """Write an outcome, and insist while the database is busy: the lease is held meanwhile."""
    for pause in (0.1, 0.5, 1, 2, 4, 8, 0):
        try:
            _execute(statement)
            return
        except Exception:
            log.exception("the outcome of a task cannot be written")
            time.sleep(pause)


class Sweeper(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """Sweeps from the worker's main process too, so that retries go on when the API is dead."""

    requires = ("celery.worker.components:Timer",)

    def start(self, worker: Any) -> None:
        """Prepare the database, then sweep until it stops."""
        settings.refuse_embedded_broker_in_production()
        database.prepare_sync()
        self.entry = worker.timer.call_repeatedly(settings.task_sweep, publish_due)

    def stop(self, worker: Any) -> None:
        """Stop sweeping."""
        self.entry.cancel()


domains.import_tasks()
check_options("celery", backend)
for name in TASKS:
    celery_app.task(execute, name=name)
celery_app.task(clean, name="background.clean")
celery_app.steps["worker"].add(Sweeper)

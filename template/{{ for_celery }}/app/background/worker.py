"""The worker: `celery --app app.background.worker worker`.

Every task is registered in Celery under its own name, so that monitoring, routing and rate limits
see it; the body of them all is `execute`: it claims the row, runs the task and notes the outcome.
"""

import asyncio
import logging
import time
from contextvars import copy_context
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from celery import bootsteps, signals
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import SQLAlchemyError

from app import database, domains, logs, monitoring
from app.background import beat, embedded_broker, outbox, outcome, shutdown
from app.background.backend import backend
from app.background.celery_app import celery_app, queues
from app.background.lease import leases
from app.background.publisher import publish_due
from app.background.settings import settings
from app.background.table import Claim
from app.background.task import TASKS, check_options
from app.refusals import told_briefly

# Seconds after its timeout: a `def` task that ignores the interruption takes its process along.
KILLED_AFTER = 10.0
log = logging.getLogger(__name__)


def execute(task_id: str, attempts: int) -> None:
    """Run the task of this row, unless another message of the same attempt has already done so."""
    with shutdown.busy():
        for found in _claim(task_id, attempts):  # it is one, or none
            claim = Claim.of(found)
            try:
                _persist(_outcome(claim))
            finally:
                leases.drop(claim)


def _claim(task_id: str, attempts: int) -> list[sa.Row[Any]]:
    try:
        return database.execute(outbox.claim(outbox.announced(task_id, attempts)))
    except SQLAlchemyError as error:  # the message is spent; the outbox will send another
        log.warning("the outbox cannot be read: %s", database.reason(error))
        time.sleep(settings.task_sweep)
        return []


def _outcome(claim: Claim) -> sa.Update:
    try:
        with claim.watch.measured(), shutdown.interruptible():
            _perform(claim)
    except shutdown.Interrupted:
        _loop.cache_clear()
        claim.watch.ended("released")
        return outcome.release(claim)
    except _Cancelled:
        claim.watch.ended("cancelled")
        return outcome.stop(claim)
    except BaseException as error:  # noqa: BLE001  # whatever it is: `failed` logs it
        claim.failed(error)
        return outcome.fail(claim, error, claim.backoff())
    claim.watch.ended("succeeded")
    return outcome.succeed(claim)


def _perform(claim: Claim) -> None:
    run = claim.run
    if run.task.is_async:
        _loop().run(_perform_async(claim), context=copy_context())
    else:
        leases.hold(claim)  # a `def` task cannot be cancelled; Celery's time limit ends it
        try:
            run.task.func(*run.args, **run.kwargs)
        except SoftTimeLimitExceeded as interruption:
            raise TimeoutError from interruption  # whose traceback says where the task was


class _Cancelled(BaseException):
    """Somebody has asked for the end of this task."""


async def _perform_async(claim: Claim) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    running = asyncio.current_task()

    def cancel() -> None:
        asked.set()
        if running:
            running.cancel()

    leases.hold(claim, lambda: loop.call_soon_threadsafe(cancel))
    try:
        async with asyncio.timeout(claim.run.task.options.get("timeout")):
            await claim.run.task.func(*claim.run.args, **claim.run.kwargs)
    except asyncio.CancelledError:
        if asked.is_set():
            raise _Cancelled from None
        raise


@cache
def _loop() -> asyncio.Runner:
    """Return this process's event loop. It is kept, so that async clients survive between tasks."""
    return asyncio.Runner()


def _persist(statement: sa.Update) -> None:
    """Write an outcome, and insist while the database is down: the lease is held meanwhile."""
    for pause in chain((0.1, 0.5, 1, 2, 4), repeat(8)):
        try:
            database.execute(statement)
            return
        except SQLAlchemyError as error:
            log.warning("an outcome cannot be written: %s; trying again", database.reason(error))
        except Exception:
            log.exception("an outcome cannot be written; trying again")
        time.sleep(pause)


class Sweeper(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """Sweeps from the worker's main process too, so that retries go on when the API is dead."""

    requires = ("celery.worker.components:Timer",)

    def start(self, worker: Any) -> None:
        """Prepare the database, then sweep until it stops."""
        with told_briefly():
            settings.refuse_embedded_broker_in_production()
            database.prepare_sync()
        shutdown.interrupt_after_grace(worker)
        if settings.worker_metrics_port:
            monitoring.serve(settings.worker_metrics_port)
        self.entry = worker.timer.call_repeatedly(settings.task_sweep, _sweep, [worker])

    def stop(self, worker: Any) -> None:
        """Stop sweeping."""
        self.entry.cancel()


def _sweep(worker: Any) -> None:
    publish_due()
    Path("var", f"{worker.hostname}.alive").touch()  # a health check may look at its age
    if settings.broker_url.startswith("sqla+"):
        embedded_broker.begin_anew_after_a_death(worker)


def _limits(name: str) -> dict[str, float]:
    """Return Celery's time limits: a `def` task is interrupted, then its process is killed."""
    timeout = TASKS[name].options.get("timeout")
    if timeout is None or TASKS[name].is_async:
        return {}
    return {"soft_time_limit": timeout, "time_limit": timeout + KILLED_AFTER}


def _set_up_logging(**_: Any) -> None:
    logs.configure()
    # To Celery every message succeeds that was looked at, whatever came of the task.
    logging.getLogger("celery.app.trace").setLevel("WARNING")


signals.setup_logging.connect(_set_up_logging)
domains.import_tasks()
with told_briefly():
    check_options("celery", backend.supports)
for name in TASKS:
    celery_app.task(execute, name=name, **_limits(name))
beat.install()
celery_app.conf.task_queues = queues()
celery_app.steps["worker"].add(Sweeper)

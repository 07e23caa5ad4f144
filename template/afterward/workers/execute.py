"""The body of every Celery task: claim the row, run the task, save the outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import copy_context
from typing import TYPE_CHECKING

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import SQLAlchemyError

from afterward.database import Database, Rows, first_line, logging_errors, write_delays
from afterward.outbox import claims, results
from afterward.outbox.claims import ClaimedRun
from afterward.outbox.heartbeat import Heartbeat
from afterward.settings import get_settings
from afterward.workers import shutdown

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)


class Executor:
    """Executes task runs in a process of Celery's pool."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heartbeat = Heartbeat(database)
        self._loop: asyncio.Runner | None = None

    def execute(self, task_id: str, attempts: int) -> None:
        """Run the task of this row, unless another message did so in the meantime."""
        with shutdown.deferring_signals():
            for found in self._claim(task_id, attempts):  # one, or none
                claim = ClaimedRun.from_row(found)
                try:
                    self._save(claim, self._outcome(claim))
                finally:
                    self._heartbeat.untrack(claim)

    def _claim(self, task_id: str, attempts: int) -> Rows:
        statement = claims.claim(claims.matches_wakeup(task_id, attempts))
        try:
            return self._database.execute(statement)
        except SQLAlchemyError as error:
            # The message is used up. The outbox sends another one.
            log.warning("cannot read the outbox: %s", first_line(error))
            time.sleep(get_settings().task_sweep)
            return []

    def _outcome(self, claim: ClaimedRun) -> sa.Update:
        try:
            with claim.attempt.timed(), shutdown.allowing_interrupt():
                self._run(claim)
        except shutdown.Interrupted:
            self._loop = None  # it was interrupted at an unknown place
            claim.attempt.finish("released")
            return results.release(claim)
        except _CancelRequested:
            claim.attempt.finish("cancelled")
            return results.mark_cancelled(claim)
        except BaseException as error:  # noqa: BLE001  # record_failure logs it
            claim.record_failure(error)
            return results.mark_failed(claim, error, claim.backoff())
        claim.attempt.finish("succeeded")
        return results.mark_succeeded(claim)

    def _run(self, claim: ClaimedRun) -> None:
        run = claim.run
        if run.task.is_async:
            # The loop is kept, so that async clients survive between tasks.
            self._loop = self._loop or asyncio.Runner()
            self._loop.run(self._run_async(claim), context=copy_context())
            return
        self._heartbeat.track(claim)  # only Celery's time limit ends a `def` task
        try:
            run.task.func(*run.args, **run.kwargs)
        except SoftTimeLimitExceeded as interruption:
            raise TimeoutError from interruption  # the traceback says where the task was

    async def _run_async(self, claim: ClaimedRun) -> None:
        loop = asyncio.get_running_loop()
        current = asyncio.current_task()
        cancel_requested = asyncio.Event()

        def cancel() -> None:
            cancel_requested.set()
            if current:
                current.cancel()

        self._heartbeat.track(claim, lambda: loop.call_soon_threadsafe(cancel))
        run = claim.run
        try:
            async with asyncio.timeout(run.task.options.get("timeout")):
                await run.task.func(*run.args, **run.kwargs)
        except asyncio.CancelledError:
            if cancel_requested.is_set():
                raise _CancelRequested from None
            raise

    def _save(self, claim: ClaimedRun, outcome: sa.Update) -> None:
        """Write an outcome, and try again while the database is down.

        The lease is renewed meanwhile.
        """
        for delay in write_delays():
            with logging_errors(f"write the outcome of task {claim.run}"):
                self._database.execute(outcome)
                return
            time.sleep(delay)


class _CancelRequested(BaseException):
    """Somebody asked to cancel this task run."""

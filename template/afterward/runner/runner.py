"""The runner of pattern safe: claims rows from the outbox, and executes them."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any

import anyio
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from afterward.database import Database, Rows, first_line, logging_errors, write_delays
from afterward.outbox import claims, maintenance, results
from afterward.outbox.claims import ClaimedRun
from afterward.outbox.heartbeat import Heartbeat
from afterward.outbox.models import PRIORITIES, row
from afterward.runner.execute import execute, is_cancelled_from_outside
from afterward.settings import get_settings
from afterward.tasks import TaskRun

WRITE_GRACE = 5.0  # seconds after SHUTDOWN_GRACE, to write outcomes
log = logging.getLogger(__name__)


class Runner:
    """Executes at most `concurrency` task runs at a time."""

    def __init__(
        self, database: Database, heartbeat: Heartbeat, concurrency: int
    ) -> None:
        self._database = database
        self._heartbeat = heartbeat
        self._concurrency = concurrency
        self._loop = asyncio.get_running_loop()
        self._threads = anyio.CapacityLimiter(concurrency)
        # A heap of (priority, arrival, task_id): what a request has just enqueued.
        self._ready: list[tuple[int, float, str]] = []
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], ClaimedRun] = {}
        self._cancellable: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: set[str] = set()
        self._last_attempt = ""  # task_id of a run whose attempts have all crashed
        self._next_sweep = self._loop.time()
        self._had_outage = False  # of the database
        self._clock = maintenance.ClockSkewDetector()
        self._is_draining = False

    @property
    def is_full(self) -> bool:
        """Whether a new task run has to wait for another one to end."""
        return len(self._running) + len(self._ready) >= self._concurrency

    def wake(self, runs: list[TaskRun]) -> None:
        """Start these task runs now. Callable from any thread."""
        self._loop.call_soon_threadsafe(self._add, runs)

    def _add(self, runs: list[TaskRun]) -> None:
        for run in runs:
            priority = PRIORITIES[run.options.get("priority", "normal")]
            heappush(self._ready, (-priority, self._loop.time(), run.task_id))
        self._wake.set()

    def _sweep_now(self) -> None:
        self._next_sweep = self._loop.time()
        self._wake.set()

    async def serve(self) -> None:
        """Claim and execute until the drain. No error ends this loop."""
        while not self._is_draining:
            self._wake.clear()
            claimed = await self._try_to_claim()
            for claim in claimed:
                self._spawn(claim)
            if not claimed and not self._can_claim_more():
                with suppress(TimeoutError):
                    sweep = get_settings().task_sweep
                    await asyncio.wait_for(self._wake.wait(), sweep)

    async def drain(self, serving: asyncio.Task[None]) -> None:
        """Let running tasks finish within the grace period, and release the others."""
        self._is_draining = True
        self._wake.set()
        await serving  # it may be in the middle of a claim
        for seconds in (get_settings().shutdown_grace, WRITE_GRACE):
            if self._running:
                await asyncio.wait(self._running, timeout=seconds)
            for running in self._cancellable.values():
                running.cancel()

    async def _try_to_claim(self) -> list[ClaimedRun]:
        try:
            return await self._claim(self._concurrency - len(self._running))
        except SQLAlchemyError as error:
            log.warning("cannot read the outbox: %s; trying again", first_line(error))
            self._had_outage = True
        except Exception:
            log.exception("cannot read the outbox; trying again")
        return []

    def _can_claim_more(self) -> bool:
        return bool(self._ready) and len(self._running) < self._concurrency

    async def _claim(self, free: int) -> list[ClaimedRun]:
        if free <= 0:
            return []
        if self._loop.time() < self._next_sweep:
            return await self._claim_ready(free)
        self._next_sweep = self._loop.time() + get_settings().task_sweep
        claimed = await self._sweep(free)
        if len(claimed) == free:
            self._sweep_now()  # there may be more
        return claimed

    async def _claim_ready(self, free: int) -> list[ClaimedRun]:
        count = min(free, len(self._ready))
        task_ids = [heappop(self._ready)[2] for _ in range(count)]
        if not task_ids:
            return []
        return await self._start(claims.claim, claims.is_unclaimed(task_ids))

    async def _sweep(self, free: int) -> list[ClaimedRun]:
        own = [claim.run.task_id for claim in self._running.values()]
        # Not our own rows, even if the lease of one has ended.
        not_own = [row.id.not_in(own)] if own else []
        if self._clock.is_detected():
            await self._write(maintenance.reset_future_due_dates)
        orphans = await self._write(claims.discard_orphans, *not_own)
        maintenance.report_orphans(orphans)
        if not self._last_attempt:
            last = await self._start(claims.claim_last_attempt, *not_own)
            if last:
                self._last_attempt = last[0].run.task_id
                return last
        return await self._start(claims.claim_due, free, *not_own)

    async def _start(
        self, statement: Callable[..., sa.Update], *arguments: Any
    ) -> list[ClaimedRun]:
        rows = await self._write(statement, *arguments)
        return [ClaimedRun.from_row(found) for found in rows]

    async def _write(
        self, statement: Callable[..., sa.Update], *arguments: Any
    ) -> Rows:
        settings = get_settings()
        if self._had_outage:
            await self._database.execute_async(maintenance.reset_future_due_dates())
            await asyncio.sleep(settings.recovery_pause)
        started = self._loop.time()
        rows = await self._database.execute_async(statement(*arguments))
        self._had_outage = self._loop.time() - started > settings.outage_after
        return rows

    def _spawn(self, claim: ClaimedRun) -> None:
        running = asyncio.create_task(self._run(claim))
        self._running[running] = claim
        running.add_done_callback(self._note_finished)

    def _note_finished(self, running: asyncio.Task[None]) -> None:
        if self._running.pop(running).run.task_id == self._last_attempt:
            self._last_attempt = ""
            self._sweep_now()  # for the next one
        self._wake.set()

    async def _run(self, claim: ClaimedRun) -> None:
        self._heartbeat.track(
            claim, lambda: self._loop.call_soon_threadsafe(self._cancel, claim)
        )
        try:
            await self._attempt(claim)
        finally:
            # The thread of a task that was cut off may still run, so its lease is renewed
            # as long as this process lives.
            was_cut_off = self._is_draining or is_cancelled_from_outside()
            if claim.run.task.is_async or not was_cut_off:
                self._heartbeat.untrack(claim)

    def _cancel(self, claim: ClaimedRun) -> None:
        running = self._cancellable.get(claim.run.task_id)
        if running and claim.run.task.is_async:  # a thread cannot be stopped
            self._cancelled.add(claim.run.task_id)
            running.cancel()

    async def _attempt(self, claim: ClaimedRun) -> None:
        try:
            await self._execute(claim)
        except GeneratorExit:
            raise
        except asyncio.CancelledError as error:
            await self._finish_cancelled(claim, error)
        except BaseException as error:  # noqa: BLE001  # record_failure logs it
            await self._finish_failed(claim, error)
        else:
            claim.attempt.finish("succeeded")
            await self._save(claim, results.mark_succeeded(claim))

    async def _execute(self, claim: ClaimedRun) -> None:
        current = asyncio.current_task()
        assert current
        self._cancellable[claim.run.task_id] = current
        try:
            with claim.attempt.timed():
                await execute(claim.run, self._threads)
        finally:
            del self._cancellable[claim.run.task_id]

    async def _finish_failed(self, claim: ClaimedRun, error: BaseException) -> None:
        claim.record_failure(error)
        backoff = claim.backoff()
        await self._save(claim, results.mark_failed(claim, error, backoff))
        self._loop.call_later(backoff.total_seconds(), self._sweep_now)

    async def _finish_cancelled(self, claim: ClaimedRun, error: BaseException) -> None:
        if claim.run.task_id in self._cancelled:
            self._cancelled.remove(claim.run.task_id)
            claim.attempt.finish("cancelled")
            await self._save(claim, results.mark_cancelled(claim))
        elif is_cancelled_from_outside():
            claim.attempt.finish("released")
            is_async = claim.run.task.is_async
            give_back = results.release if is_async else results.refund_attempt
            await self._save(claim, give_back(claim))
        else:  # the task cancelled itself
            await self._finish_failed(claim, error)

    async def _save(self, claim: ClaimedRun, outcome: sa.Update) -> None:
        """Write an outcome, and try again while the database is down.

        The lease is renewed meanwhile.
        """
        for delay in write_delays():
            with logging_errors(f"write the outcome of task {claim.run}"):
                await self._database.execute_async(outcome)
                return
            await asyncio.sleep(delay)

"""The runner: claims task runs from the outbox and executes them in the web process."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from itertools import chain, repeat
from typing import Any, cast

import anyio
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app import database
from app.background import clock, outbox, outcome, upkeep
from app.background.lease import leases
from app.background.perform import cancelled_from_outside, perform
from app.background.settings import settings
from app.background.table import Claim
from app.background.task import TaskRun

PATIENCE = 5.0  # seconds, at the end of the grace, for outcomes that are still being written
log = logging.getLogger(__name__)


class Runner:
    """Executes at most TASK_CONCURRENCY task runs at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = anyio.CapacityLimiter(settings.task_concurrency)
        self._ready: list[tuple[int, float, str]] = []  # a heap: by priority, then by arrival
        self._wake = asyncio.Event()
        self._live: dict[asyncio.Task[None], Claim] = {}
        self._performing: dict[str, asyncio.Task[None]] = {}  # what may be cancelled
        self._cancelled: set[str] = set()
        self._alone = ""  # the task run that may have killed its process every time
        self._next_sweep = self._loop.time()
        self._outage = False  # of the database
        self._clock = clock.Clock()
        self._draining = False

    @property
    def is_full(self) -> bool:
        """Whether a task would have to wait for another to end."""
        return len(self._live) + len(self._ready) >= settings.task_concurrency

    def wake(self, runs: list[TaskRun]) -> None:
        """Start these task runs now. Callable from any thread."""
        self._loop.call_soon_threadsafe(self._add, runs)

    def _add(self, runs: list[TaskRun]) -> None:
        for run in runs:
            priority = outbox.PRIORITIES[run.options.get("priority", "normal")]
            heappush(self._ready, (-priority, self._loop.time(), run.task_id))
        self._wake.set()

    def _sweep_now(self) -> None:
        self._next_sweep = self._loop.time()
        self._wake.set()

    async def serve(self) -> None:
        """Claim and execute until the drain. No error ends this loop."""
        while not self._draining:
            self._wake.clear()
            claims: list[Claim] = []
            try:
                claims = await self._claim(settings.task_concurrency - len(self._live))
            except SQLAlchemyError as error:
                log.warning("the outbox cannot be read: %s; trying again", database.reason(error))
                self._outage = True
            except Exception:
                log.exception("the outbox cannot be read; trying again")
            for claim in claims:
                self._spawn(claim)
            if not claims and not (self._ready and len(self._live) < settings.task_concurrency):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), settings.task_sweep)

    async def drain(self, serving: asyncio.Task[None]) -> None:
        """Let running tasks finish within the grace; release the rows of the others."""
        self._draining = True
        self._wake.set()
        await serving  # it may be in the middle of a claim
        for patience in (settings.shutdown_grace, PATIENCE):
            if self._live:
                await asyncio.wait(self._live, timeout=patience)
            for running in self._performing.values():
                running.cancel()

    async def _claim(self, free: int) -> list[Claim]:
        if free <= 0:
            return []
        if self._loop.time() < self._next_sweep:
            ids = [heappop(self._ready)[2] for _ in range(min(free, len(self._ready)))]
            return await self._claimed(outbox.claim, outbox.waiting(ids)) if ids else []
        self._next_sweep = self._loop.time() + settings.task_sweep
        claims = await self._sweep(free)
        if len(claims) == free:
            self._sweep_now()  # there may be more
        return claims

    async def _sweep(self, free: int) -> list[Claim]:
        own = [claim.run.task_id for claim in self._live.values()]
        others = [outbox.row.id.not_in(own)] if own else []  # also if the lease of one has ended
        if self._clock.was_set_back():
            await self._write(clock.put_right)
        upkeep.report_buried(await self._write(outbox.bury, *others))
        if not self._alone and (suspect := await self._claimed(outbox.claim_suspect, *others)):
            self._alone = suspect[0].run.task_id
            return suspect
        return await self._claimed(outbox.claim_first, free, *others)

    async def _claimed(self, start: Callable[..., sa.Update], *arguments: Any) -> list[Claim]:
        return [Claim.of(row) for row in await self._write(start, *arguments)]

    async def _write(self, what: Callable[..., sa.Update], *arguments: Any) -> list[sa.Row[Any]]:
        if self._outage:
            await database.execute_async(clock.put_right())
            await asyncio.sleep(outbox.RENEWAL)
        begun = self._loop.time()
        rows = await database.execute_async(what(*arguments))
        self._outage = self._loop.time() - begun > outbox.OUTAGE
        return rows

    def _spawn(self, claim: Claim) -> None:
        running = asyncio.create_task(self._run(claim))
        self._live[running] = claim
        running.add_done_callback(self._finished)

    def _finished(self, running: asyncio.Task[None]) -> None:
        if self._live.pop(running).run.task_id == self._alone:
            self._alone = ""
            self._sweep_now()  # for the next one
        self._wake.set()

    async def _run(self, claim: Claim) -> None:
        leases.hold(claim, partial(self._loop.call_soon_threadsafe, self._cancel, claim))
        try:
            await _persist(await self._outcome(claim))
        finally:
            # The thread of a task that was cut off may still run: its lease lasts as long as we do.
            cut_off = self._draining or cancelled_from_outside()
            if not cut_off or claim.run.task.is_async:
                leases.drop(claim)

    def _cancel(self, claim: Claim) -> None:
        running = self._performing.get(claim.run.task_id)
        if running and claim.run.task.is_async:  # a thread cannot be stopped
            self._cancelled.add(claim.run.task_id)
            running.cancel()

    async def _outcome(self, claim: Claim) -> sa.Update:
        try:
            await self._perform(claim)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001  # whatever it is: `failed` logs it
            if isinstance(error, asyncio.CancelledError) and (end := self._end(claim)) is not None:
                return end
            claim.failed(error)
            wait = claim.backoff()
            self._loop.call_later(wait.total_seconds(), self._sweep_now)
            return outcome.fail(claim, error, wait)
        claim.watch.ended("succeeded")
        return outcome.succeed(claim)

    async def _perform(self, claim: Claim) -> None:
        self._performing[claim.run.task_id] = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            with claim.watch.measured():
                await perform(claim.run, self._threads)
        finally:
            del self._performing[claim.run.task_id]

    def _end(self, claim: Claim) -> sa.Update | None:
        """Return how a task ends that was cancelled from outside; None if it did so by itself."""
        if claim.run.task_id in self._cancelled:
            self._cancelled.remove(claim.run.task_id)
            claim.watch.ended("cancelled")
            return outcome.stop(claim)
        if cancelled_from_outside():
            claim.watch.ended("released")
            return outcome.release(claim) if claim.run.task.is_async else outcome.excuse(claim)
        return None


async def _persist(statement: sa.Update) -> None:
    """Write an outcome, and insist while the database is down: the lease is held meanwhile."""
    for pause in chain((0.1, 0.5, 1, 2, 4), repeat(8)):
        try:
            await database.execute_async(statement)
            return
        except SQLAlchemyError as error:
            log.warning("an outcome cannot be written: %s; trying again", database.reason(error))
        except Exception:
            log.exception("an outcome cannot be written; trying again")
        await asyncio.sleep(pause)

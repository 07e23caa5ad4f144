"""The heartbeat of a process that executes task runs.

It renews leases, saves progress and delivers requests to cancel.
"""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from afterward.database import Database, first_line
from afterward.outbox import queries, results
from afterward.outbox.claims import ClaimedRun
from afterward.progress import report_progress
from afterward.settings import get_settings

log = logging.getLogger(__name__)


class Heartbeat:
    """Tracks the claims of this process in a thread.

    A thread, so that a task which blocks the event loop does not lose its lease.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claims: dict[str, ClaimedRun] = {}
        self._cancel: dict[str, Callable[[], object]] = {}
        self._progress: dict[str, tuple[float, str]] = {}
        self._lock = Lock()
        self._thread: Thread | None = None
        self._renewed_at = monotonic()

    def track(
        self, claim: ClaimedRun, cancel: Callable[[], object] | None = None
    ) -> None:
        """Renew the lease of this claim from now on.

        Args:
            claim: The claim.
            cancel: Called in the thread when somebody asks to cancel the task run.
        """
        report_progress.set(
            lambda fraction, note: self._set_progress(claim, fraction, note)
        )
        with self._lock:
            self._claims[claim.run.task_id] = claim
            if cancel:
                self._cancel[claim.run.task_id] = cancel
            if self._thread is None:
                self._thread = Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()

    def untrack(self, claim: ClaimedRun) -> None:
        """Stop renewing the lease of this claim."""
        report_progress.set(None)
        with self._lock:
            self._claims.pop(claim.run.task_id, None)
            self._cancel.pop(claim.run.task_id, None)
            self._progress.pop(claim.run.task_id, None)

    def _set_progress(self, claim: ClaimedRun, fraction: float, note: str) -> None:
        with self._lock:
            if claim.run.task_id in self._claims:  # else a thread outlives its task
                self._progress[claim.run.task_id] = (fraction, note)

    def _run(self) -> None:
        settings = get_settings()
        interval = min(settings.task_sweep, settings.task_lease / 3)
        while not Event().wait(interval):
            self._beat()

    def _beat(self) -> None:
        for step in (self._renew, self._deliver_cancellations, self._save_progress):
            try:
                step()
            except SQLAlchemyError as error:
                log.warning("heartbeat: %s; trying again", first_line(error))
                return
            except Exception:  # one failing step must not stop the others
                log.exception("heartbeat: %s failed", step.__name__)

    def _renew(self) -> None:
        started = monotonic()  # a renewal that waits is as old as its start
        if started - self._renewed_at < get_settings().task_lease / 3:
            return
        with self._lock:
            held = list(self._claims.values())
        if held:
            self._database.execute(*results.renew_leases(held))
        self._renewed_at = started

    def _deliver_cancellations(self) -> None:
        with self._lock:
            task_ids = list(self._cancel)
        if not task_ids:
            return
        for found in self._database.execute(queries.cancel_requested(task_ids)):
            with self._lock:
                cancel = self._cancel.pop(found.id, None)
            if cancel:
                cancel()

    def _save_progress(self) -> None:
        with self._lock:
            news = [
                (self._claims[task_id], fraction, note)
                for task_id, (fraction, note) in self._progress.items()
            ]
            self._progress.clear()
        if news:
            self._database.execute(*(results.save_progress(*each) for each in news))

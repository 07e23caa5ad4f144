"""What this process keeps up while it executes task runs: leases, progress, requests to cancel."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from threading import Event, Lock, Thread
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from app import database
from app.background import outcome, upkeep
from app.background.settings import settings
from app.background.table import Claim

log = logging.getLogger(__name__)
_current: ContextVar[Claim | None] = ContextVar("claim", default=None)


class Leases:
    """The claims that this process holds. A thread looks after them, so that a task which blocks
    the event loop does not lose its lease and run twice.
    """

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._cancel: dict[str, Callable[[], object]] = {}
        self._progress: dict[str, tuple[float, str]] = {}
        self._lock = Lock()
        self._thread: Thread | None = None
        self._renewed = monotonic()

    def hold(self, claim: Claim, cancel: Callable[[], object] | None = None) -> None:
        """Renew this claim from now on; `cancel` is called, in a thread, when somebody asks."""
        _current.set(claim)
        with self._lock:
            self._claims[claim.run.task_id] = claim
            if cancel:
                self._cancel[claim.run.task_id] = cancel
            if self._thread is None:
                self._thread = Thread(target=self._keep_up, name="leases", daemon=True)
                self._thread.start()

    def drop(self, claim: Claim) -> None:
        """Renew this claim no more."""
        _current.set(None)
        with self._lock:
            for kept in (self._claims, self._cancel, self._progress):
                kept.pop(claim.run.task_id, None)

    def note(self, claim: Claim, fraction: float, note: str) -> None:
        """Keep the progress of a claim for the next turn of the thread."""
        with self._lock:
            if claim.run.task_id in self._claims:  # else a thread has outlived its task
                self._progress[claim.run.task_id] = (fraction, note)

    def _keep_up(self) -> None:
        while not Event().wait(min(settings.task_sweep, settings.task_lease / 3)):
            for duty in (self._renew, self._cancel_requested, self._write_progress):
                try:
                    duty()
                except SQLAlchemyError as error:
                    log.warning("leases: %s; trying again", database.reason(error))
                    break
                except Exception:  # one that fails must not keep the others from their turn
                    log.exception("leases: %s failed", duty.__name__)

    def _renew(self) -> None:
        begun = monotonic()  # a renewal that has to wait is as old as its beginning
        if begun - self._renewed >= settings.task_lease / 3:
            with self._lock:
                held = list(self._claims.values())
            database.execute(*outcome.renew(held))
            self._renewed = begun

    def _cancel_requested(self) -> None:
        with self._lock:
            ids = list(self._cancel)
        if ids:
            for found in database.execute(upkeep.cancel_requested(ids)):
                with self._lock:
                    cancel = self._cancel.pop(found.id, None)
                if cancel:
                    cancel()

    def _write_progress(self) -> None:
        with self._lock:
            news = [(self._claims[task_id], *news) for task_id, news in self._progress.items()]
            self._progress.clear()
        if news:
            database.execute(*(outcome.note_progress(*each) for each in news))


leases = Leases()


def progress(fraction: float, note: str = "") -> None:
    """Say how far the running task has come; its status shows it within TASK_SWEEP seconds.

    Args:
        fraction: From 0 to 1.
        note: What it is doing.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"progress({fraction!r}): it must be from 0 to 1.")
    if not isinstance(note, str):
        raise TypeError(f"progress({fraction}, {note!r}): the note must be a text.")
    if claim := _current.get():
        leases.note(claim, fraction, note)

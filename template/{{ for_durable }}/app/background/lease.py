"""Renews the leases of the task runs that this process is executing."""

import logging
from threading import Event, Lock, Thread

from app import database
from app.background import outbox
from app.background.settings import settings
from app.background.table import Claim

log = logging.getLogger(__name__)


class Leases:
    """The claims that this process holds. A thread renews them, so that a task which blocks the
    event loop does not lose its lease and run twice.
    """

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._lock = Lock()
        self._thread: Thread | None = None

    def hold(self, claim: Claim) -> None:
        """Renew this claim from now on."""
        with self._lock:
            self._claims[claim.run.task_id] = claim
            if self._thread is None:
                self._thread = Thread(target=self._renew_for_ever, name="leases", daemon=True)
                self._thread.start()

    def drop(self, claim: Claim) -> None:
        """Renew this claim no more."""
        with self._lock:
            self._claims.pop(claim.run.task_id, None)

    def _renew_for_ever(self) -> None:
        while not Event().wait(settings.task_lease / 3):
            try:
                self._renew()
            except Exception:  # the database is busy or down: the next turn tries again
                log.exception("leases were not renewed")

    def _renew(self) -> None:
        with self._lock:
            claims = list(self._claims.values())
        if claims:
            with database.sync_engine().begin() as connection:
                for statement in outbox.renew(claims):
                    connection.execute(statement)


leases = Leases()

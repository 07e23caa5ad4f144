"""The broker for development: one SQLite file, through Kombu's SQLAlchemy transport."""

# mypy: allow-untyped-calls
# Kombu's transport has no types.

import logging
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from queue import Empty
from typing import Any

from celery.worker import state
from kombu.transport import sqlalchemy as transport
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

log = logging.getLogger(__name__)


class _Channel(transport.Channel):
    """Looks for messages only when somebody has written: to look takes SQLite's write lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        url = make_url(self.connection.client.hostname)
        self._file = sqlite3.connect(str(url.database), check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=WAL")  # the disk is waited for once, not four times
        self._empty_at: dict[str, int] = {}  # the file's version when a queue was found empty

    def close(self) -> None:
        with closing(self._file), self.session:  # or what a full disk interrupts keeps a connection
            super().close()

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        if state.should_stop is not None:  # Celery itself would look every two seconds
            raise TimeoutError
        [version] = self._file.execute("PRAGMA data_version").fetchone()
        if self._empty_at.get(queue) == version:
            raise Empty
        try:
            return super()._get(queue)
        except Empty:
            self._empty_at[queue] = version
            raise

    def _get_or_create(self, queue: str) -> Any:
        try:
            return super()._get_or_create(queue)
        except IntegrityError:  # API and worker start together: the other one has just created it
            self.session.rollback()
            return super()._get_or_create(queue)


def prepare(url: str) -> None:
    """Make the transport fit for one developer's machine. Other brokers are left alone."""
    if not url.startswith("sqla+"):
        return
    transport.Transport.Channel = _Channel
    # It knows one error only; a full disk has others, and they would end the worker.
    errors: Any = (SQLAlchemyError, sqlite3.Error)
    transport.Transport.connection_errors = errors
    transport.Transport.polling_interval = 0.01  # its default of 1 s does two tasks a second
    if file := make_url(url.removeprefix("sqla+")).database:
        Path(file).parent.mkdir(parents=True, exist_ok=True)


def begin_anew_after_a_death(worker: Any) -> None:
    """Replace the whole worker when a process of its pool has died.

    With this broker Celery uses a pool whose idle processes wait for one lock; the dead may have
    held it, and nobody else would get a message again. Real brokers bring a pool without it.
    """
    pool = getattr(worker.pool, "_pool", None)  # while the worker starts and stops there is none
    now = {process.pid for process in getattr(pool, "_pool", ())}
    before = worker.__dict__.setdefault("processes_at_start", now) if now else now
    if now == before or state.should_stop is not None or state.should_terminate is not None:
        return
    log.warning("a process of the pool has died: the worker begins anew")
    for pid in now & before:
        os.kill(pid, signal.SIGTERM)  # it finishes its task, and ends
    os.execv(sys.executable, sys.orig_argv)

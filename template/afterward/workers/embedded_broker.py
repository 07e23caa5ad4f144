"""The embedded broker for development: one SQLite file, through Kombu's SQLAlchemy."""

# mypy: allow-untyped-calls
# Kombu's transports have no types.

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
from sqlalchemy import event, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

POLLING_INTERVAL = 0.01  # seconds; Kombu's default of 1 s runs two tasks a second
log = logging.getLogger(__name__)


class Channel(transport.Channel):
    """Queries a queue only when the file has changed: a query takes the write lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        url = make_url(self.connection.client.hostname)
        self._file = sqlite3.connect(str(url.database), check_same_thread=False)
        # The version of the file when a queue was found empty.
        self._empty_at: dict[str, int] = {}

    def _engine_from_config(self) -> Any:
        engine = super()._engine_from_config()
        event.listen(engine, "connect", _configure)
        return engine

    def close(self) -> None:
        # The session too, or a full disk in the middle leaks a connection.
        with closing(self._file), self.session:
            super().close()

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        if state.should_stop is not None:  # Celery looks every two seconds only
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
        except IntegrityError:  # API and worker start together, and both create it
            self.session.rollback()
            return super()._get_or_create(queue)


def prepare(broker_url: str) -> None:
    """Let Kombu's SQLAlchemy transport serve one developer's machine."""
    adapted: Any = transport.Transport
    adapted.Channel = Channel
    # The transport knows one error only. A full disk has others, which end the worker.
    adapted.connection_errors = (SQLAlchemyError, sqlite3.Error)
    adapted.polling_interval = POLLING_INTERVAL
    if file := make_url(broker_url.removeprefix("sqla+")).database:
        Path(file).parent.mkdir(parents=True, exist_ok=True)


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Wait for the disk as little as possible: the outbox knows what a power cut takes."""
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "wal_autocheckpoint=100",
    ):
        connection.execute(f"PRAGMA {pragma}")


def restart_if_pool_process_died(worker: Any) -> None:
    """Replace the whole worker when a process of its pool has died.

    With the embedded broker, Celery uses a pool whose idle processes wait for one lock. A
    dead process may hold the lock, and then no process gets a message. Other brokers use
    a pool without this lock.
    """
    pool = getattr(worker.pool, "_pool", None)  # None while the worker starts or stops
    pids = {process.pid for process in getattr(pool, "_pool", ())}
    first_pids = vars(worker).setdefault("first_pids", pids) if pids else pids
    is_stopping = state.should_stop is not None or state.should_terminate is not None
    if pids == first_pids or is_stopping:
        return
    log.warning("a process of the pool has died: the worker restarts")
    for pid in pids & first_pids:
        os.kill(pid, signal.SIGTERM)  # it finishes its task, and ends
    os.execv(sys.executable, sys.orig_argv)

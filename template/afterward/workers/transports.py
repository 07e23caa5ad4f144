"""Kombu's transports, adapted: bounded waits, and a broker that is a SQLite file."""

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
from sqlalchemy import event, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

log = logging.getLogger(__name__)

# Kombu's defaults wait forever for a Redis that accepts and never answers.
REDIS_TIMEOUTS = {"socket_timeout": 3, "socket_connect_timeout": 1}
POLLING_INTERVAL = 0.01  # seconds; Kombu's default of 1 s runs two tasks a second


def prepare(broker_url: str) -> None:
    """Adapt Kombu's transport for this broker. RabbitMQ needs nothing."""
    if broker_url.startswith("sqla+"):
        _prepare_embedded(broker_url)
    elif broker_url.startswith("redis"):
        _prepare_redis()


def options(broker_url: str) -> dict[str, Any]:
    """Return the transport's options for this broker."""
    return REDIS_TIMEOUTS if broker_url.startswith("redis") else {}


def _prepare_redis() -> None:
    """Let a worker survive a Redis that stops answering."""
    from kombu.transport import redis, virtual

    class Channel(redis.Channel):
        def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
            # If Redis does not answer an acknowledgement, Kombu 5.7 counts the message as
            # unacknowledged forever, and the worker fetches no other.
            virtual.QoS.ack(self.qos, delivery_tag)
            super().basic_ack(delivery_tag, multiple)

        def close(self) -> None:
            # After its connection is lost, Kombu 5.7 closes a channel twice, fails to
            # restore unacknowledged messages, and ends the worker. The outbox sends such
            # messages again.
            self.do_restore = getattr(self.connection, "client", None) is not None
            super().close()

    adapted: Any = redis.Transport
    adapted.Channel = Channel


def _prepare_embedded(broker_url: str) -> None:
    """Let Kombu's SQLAlchemy transport serve one developer's machine."""
    from kombu.transport import sqlalchemy as transport

    transport.Transport.Channel = _embedded_channel()
    # The transport knows one error only. A full disk has others, which end the worker.
    errors: Any = (SQLAlchemyError, sqlite3.Error)
    transport.Transport.connection_errors = errors
    transport.Transport.polling_interval = POLLING_INTERVAL
    if file := make_url(broker_url.removeprefix("sqla+")).database:
        Path(file).parent.mkdir(parents=True, exist_ok=True)


def _embedded_channel() -> type[Any]:
    from kombu.transport import sqlalchemy as transport

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
            event.listen(engine, "connect", _configure_embedded)
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

    return Channel


def _configure_embedded(connection: sqlite3.Connection, _record: object) -> None:
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
    if pids:
        first_pids = worker.__dict__.setdefault("first_pids", pids)
    else:
        first_pids = pids
    is_stopping = state.should_stop is not None or state.should_terminate is not None
    if pids == first_pids or is_stopping:
        return
    log.warning("a process of the pool has died: the worker restarts")
    for pid in pids & first_pids:
        os.kill(pid, signal.SIGTERM)  # it finishes its task, and ends
    os.execv(sys.executable, sys.orig_argv)

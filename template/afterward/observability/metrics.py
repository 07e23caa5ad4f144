"""Prometheus metrics, correct with several processes.

Each process writes its values into files of one folder, and `/metrics` adds them up.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from afterward.backend import BackendStatus

log = logging.getLogger(__name__)
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The metrics of this process, and the sum over all processes of its server."""

    def __init__(self) -> None:
        self.folder = _prepare_folder()
        # Imported late, because prometheus_client reads the variable when it is imported.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.attempts = Counter(
            "task_attempts", "Attempts by outcome.", ["task", "outcome"]
        )
        self.duration = Histogram(
            "task_duration_seconds", "Duration of attempts.", ["task"]
        )
        self.wait = Histogram(
            "task_wait_seconds", "From due to the start of the first attempt.", ["task"]
        )
        self.running = Gauge(
            "task_running", "Running tasks.", ["task"], multiprocess_mode="livesum"
        )
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Any]:
        """Return the sums. Processes that have ended count, except their running tasks."""
        from prometheus_client.multiprocess import (
            MultiProcessCollector,
            mark_process_dead,
        )

        for file in self.folder.glob("gauge_live*.db"):
            pid = int(file.stem.split("_")[-1])
            if not _is_alive(pid):
                mark_process_dead(pid, str(self.folder))
        yield from MultiProcessCollector(None, str(self.folder)).collect()

    def exposition(self, status: BackendStatus) -> str:
        """Return all metrics in Prometheus's text format."""
        from prometheus_client import generate_latest

        text = generate_latest(self.registry).decode()
        return text + _outbox_metrics(status) if status.open_runs else text

    def serve(self, port: int) -> None:
        """Serve the metrics on a port of their own, in a thread."""
        from prometheus_client import start_http_server

        try:
            server, _thread = start_http_server(port, registry=self.registry)
        except OSError as error:  # another worker of this machine uses it
            log.warning("no metrics on port %d: %s", port, error)
        else:
            # A child that outlives this process must not keep the port.
            os.register_at_fork(after_in_child=server.socket.close)


@cache
def get_metrics() -> Metrics:
    """Return the metrics of this process."""
    return Metrics()


def _outbox_metrics(status: BackendStatus) -> str:
    """Return what the database knows, in Prometheus's text format."""
    depths = (
        f'outbox_depth{{state="{state}"}} {number}'
        for state, number in status.open_runs.items()
    )
    lines = (
        "# HELP outbox_depth Open task runs.",
        "# TYPE outbox_depth gauge",
        *depths,
        "# HELP outbox_oldest_seconds How long the oldest waiting run has been due.",
        "# TYPE outbox_oldest_seconds gauge",
        f"outbox_oldest_seconds {status.oldest_seconds}",
    )
    return "\n".join(lines) + "\n"


def _prepare_folder() -> Path:
    """Return the folder that the processes of one server share."""
    folder = _shared_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _reset_running_gauge(folder)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _reset_running_gauge(folder))
    return folder


def _shared_folder() -> Path:
    if given := os.environ.get(_VARIABLE):
        return Path(given)
    parent = parent_process()  # of a server with several processes
    server = (parent.pid if parent else None) or os.getpid()
    prefix = f"metrics-{os.getuid()}-"
    if server == os.getpid():
        _remove_stale_folders(Path(tempfile.gettempdir()), prefix)
    folder = Path(tempfile.gettempdir(), f"{prefix}{server}")
    os.environ[_VARIABLE] = str(folder)  # for the processes that a worker forks
    return folder


def _remove_stale_folders(parent: Path, prefix: str) -> None:
    """Remove the folders of servers that have ended, or that had this process's pid."""
    for folder in parent.glob(f"{prefix}*"):
        pid = folder.name.removeprefix(prefix)
        if pid == str(os.getpid()) or (pid.isdecimal() and not _is_alive(int(pid))):
            shutil.rmtree(folder, ignore_errors=True)


def _reset_running_gauge(folder: Path) -> None:
    """Forget the running tasks of an earlier process that had this one's pid."""
    for file in folder.glob(f"gauge_live*_{os.getpid()}.db"):
        file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

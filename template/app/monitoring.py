"""Monitoring: what is measured, what is logged when a task fails, and who else is told.

Metrics are right with several processes: each writes its own into files that `/metrics` adds up.
"""

import atexit
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import parent_process
from pathlib import Path


def _metrics_folder() -> Path:
    """Return the folder that this process shares with the other processes of its server."""
    if given := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return Path(given)
    parent = parent_process()  # of a server with several processes
    server = (parent.pid if parent else None) or os.getpid()
    folder = Path(tempfile.gettempdir(), f"metrics-{os.getuid()}-{server}")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # for the processes that a worker forks
    if server == os.getpid():
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


FOLDER = _metrics_folder()
FOLDER.mkdir(parents=True, exist_ok=True)

from prometheus_client import (  # when imported, it reads that variable
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)

ATTEMPTS = Counter("task_attempts", "Attempts by outcome.", ["task", "outcome"])
DURATION = Histogram("task_duration_seconds", "How long attempts took.", ["task"])
WAIT = Histogram("task_wait_seconds", "From due to the start of the first attempt.", ["task"])
RUNNING = Gauge("task_running", "Tasks in progress.", ["task"], multiprocess_mode="livesum")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt: `outcome` says whether another follows ("retrying") or none does."""

    task: str
    task_id: str
    attempt: int
    error: BaseException
    outcome: str


Hook = Callable[[Failure], None]
_HOOKS: list[Hook] = []


def on_failure(hook: Hook) -> Hook:
    """Have a function called at every failed attempt, in the process that ran it.

    It is the place to plug in an error tracker. It must not block; what it raises is logged.
    """
    if hook not in _HOOKS:
        _HOOKS.append(hook)
    return hook


@contextmanager
def attempt(name: str, due: datetime | None) -> Iterator[None]:
    """Measure one attempt; `due` says since when the task was to start, at the first one."""
    if due:
        WAIT.labels(name).observe(max(0.0, (datetime.now(UTC) - due).total_seconds()))
    start = time.perf_counter()
    with RUNNING.labels(name).track_inprogress():
        try:
            yield
        finally:
            DURATION.labels(name).observe(time.perf_counter() - start)


def count(name: str, outcome: str) -> None:
    """Count an attempt that has ended."""
    ATTEMPTS.labels(name, outcome).inc()


def failed(failure: Failure) -> None:
    """Count a failed attempt, and tell the hooks."""
    count(failure.task, failure.outcome)
    for hook in _HOOKS:
        try:
            hook(failure)
        except Exception:
            log.exception("the on_failure hook %r failed", hook)


@dataclass(frozen=True, slots=True)
class Report:
    """How the mechanism fares: what is degraded, open task runs by state, the age of the oldest."""

    degraded: list[str] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)
    oldest: float = 0.0  # seconds that it has been due


class _EveryProcess(Collector):
    """Adds up what the processes of this server have written, those that have ended included."""

    def collect(self) -> Iterator[Metric]:
        for file in FOLDER.glob("gauge_live*.db"):
            if not _lives(pid := int(file.stem.split("_")[-1])):
                mark_process_dead(pid, str(FOLDER))  # it runs no task any more
        yield from MultiProcessCollector(None, str(FOLDER)).collect()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


REGISTRY = CollectorRegistry()
REGISTRY.register(_EveryProcess())


def exposition(report: Report) -> str:
    """Return all metrics, in Prometheus's text format."""
    depth = GaugeMetricFamily("outbox_depth", "Open task runs.", labels=["state"])
    for state, number in report.open.items():
        depth.add_metric([state], number)
    oldest = GaugeMetricFamily("outbox_oldest_seconds", "Due for so long.", value=report.oldest)
    outbox = CollectorRegistry()
    outbox.register(_Fixed([depth, oldest] if report.open else []))
    return (generate_latest(REGISTRY) + generate_latest(outbox)).decode()


class _Fixed(Collector):
    def __init__(self, metrics: list[GaugeMetricFamily]) -> None:
        self._metrics = metrics

    def collect(self) -> list[GaugeMetricFamily]:
        return self._metrics


def serve(port: int) -> None:
    """Show the metrics on a port of their own, for a process that serves nothing else."""
    try:
        server, _thread = start_http_server(port, registry=REGISTRY)
    except OSError as error:  # another worker of this machine has it
        log.warning("no metrics on port %d: %s", port, error)
    else:  # or a child that outlives this process would keep the port
        os.register_at_fork(after_in_child=server.socket.close)

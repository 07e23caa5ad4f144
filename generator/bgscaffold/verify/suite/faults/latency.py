"""Latency and threads of an API while a server that it uses is down."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import httpx2

from bgscaffold.verify.suite.faults.load import Load
from bgscaffold.verify.suite.faults.processes import Processes

REQUESTS = 200


def measure(processes: Processes, load: Load) -> str:
    """Send requests one after another, and describe their latency."""
    url = processes.url()
    with httpx2.Client(base_url=url, timeout=20, trust_env=False) as client:
        before = _threads(processes)
        posts = _p99(lambda: load.send(client.post, "instant"))
        lives = _p99(lambda: client.get("/health/live"))
        ready = client.get("/health/ready").json()
        return (
            f"POST p99 {posts:.0f} ms, /health/live p99 {lives:.0f} ms over {REQUESTS}"
            f" requests each, degraded: {ready['degraded']}, threads of the API:"
            f" {before} before, {_threads(processes)} after"
        )


def _p99(call: Callable[[], object]) -> float:
    times = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * quantiles(times, n=100)[-1]


def _threads(processes: Processes) -> int:
    return len(list(Path(f"/proc/{processes.main('api')}/task").iterdir()))

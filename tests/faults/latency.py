"""How fast an API answers while something else is down, and how many threads that takes."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import httpx2

from tests.faults.load import Load
from tests.faults.stack import Stack

REQUESTS = 200


def measure(stack: Stack, load: Load) -> str:
    """Send requests one after another, and say how long the slowest in a hundred took."""
    with httpx2.Client(base_url=stack.url(), timeout=20, trust_env=False) as client:
        threads = _threads(stack)
        posts = _p99(lambda: load.send(client.post, "instant"))
        lives = _p99(lambda: client.get("/health/live"))
        ready = client.get("/health/ready").json()
        return (
            f"POST p99 {posts:.0f} ms, /health/live p99 {lives:.0f} ms over {REQUESTS} requests each,"
            f" degraded: {ready['degraded']}, threads of the API: {threads} before,"
            f" {_threads(stack)} after"
        )


def _p99(call: Callable[[], object]) -> float:
    times = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * quantiles(times, n=100)[-1]


def _threads(stack: Stack) -> int:
    return len(list(Path(f"/proc/{stack.main('api')}/task").iterdir()))

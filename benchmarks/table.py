"""What the benchmarks share: medians, and a table of them."""

import time
from collections.abc import Callable
from statistics import median


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def show(measured: dict[str, list[float]]) -> None:
    """Print the median, the best and the worst of each."""
    width = max(map(len, measured))
    print(f"{'':{width}}  median    best   worst  runs")
    for name, runs in measured.items():
        figures = "".join(
            f"{value:8.2f}" for value in (median(runs), min(runs), max(runs))
        )
        print(f"{name:{width}}{figures}{len(runs):6}")

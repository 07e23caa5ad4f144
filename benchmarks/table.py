"""What the benchmarks share: measuring a call, and a table of medians."""

import time
from collections.abc import Callable
from statistics import median


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds of a call."""
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

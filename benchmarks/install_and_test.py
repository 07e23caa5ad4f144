"""Install each variant with a warm cache, and run its own tests.

Arguments are names of patterns; the default is all. CPU seconds are those of all
processes. On a busy machine they say more than the clock.
"""

import os
import sys
import tempfile
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.table import seconds, show
from tests import helpers
from tests.projects.environments import EVERYTHING, Environment

LIMIT = 10.0  # seconds
TOTAL = ": total"
FEATURES: dict[str, dict[str, bool]] = {
    "": {},
    "schedule": {"schedule": True},
    "ai": {"ai": True},
    "both": EVERYTHING,
}


def main() -> None:
    """Measure each variant once, after an installation that fills the cache."""
    patterns = sys.argv[1:] or helpers.PATTERNS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bare = Environment(folder)
        first = helpers.render("celery", "none", folder / "first", **EVERYTHING)
        bare.uv(first, "sync")
        measured: dict[str, list[float]] = {}
        for pattern, name in product(patterns, FEATURES):
            variant = f"{pattern} {name}".strip()
            target = folder / variant.replace(" ", "-")
            project = helpers.render(pattern, "none", target, **FEATURES[name])
            measured |= measure(bare, project, variant)
    show(measured)
    totals = {name: took for name, [took] in measured.items() if name.endswith(TOTAL)}
    slow = [name for name, took in totals.items() if took > LIMIT]
    print(f"over {LIMIT:.0f} s: {', '.join(slow) or 'none'}")


def measure(bare: Environment, project: Path, variant: str) -> dict[str, list[float]]:
    """Return the seconds of the installation, the tests, both, and of all CPUs."""
    before = cpu_seconds()
    install = seconds(partial(bare.uv, project, "sync", UV_OFFLINE="1"))
    tests = seconds(partial(bare.test, project, UV_OFFLINE="1"))
    return {
        f"{variant}: install": [install],
        f"{variant}: tests": [tests],
        f"{variant}{TOTAL}": [install + tests],
        f"{variant}: CPU": [cpu_seconds() - before],
    }


def cpu_seconds() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()

"""Install each variant, and run its own tests: packages come from the cache, no server is needed.

Names of patterns as arguments leave out the others. CPU seconds are those of all its processes: on
a machine that does other things too they say more than the clock, which two cores can halve at best.
"""

import os
import sys
import tempfile
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.table import seconds, show
from tests import helpers
from tests.projects import environments
from tests.projects.environments import EVERYTHING, Environment

LIMIT = 10.0  # seconds, by the clock
BOTH = ": install and own tests"
EXTRAS = {
    "": {},
    " schedule": {"schedule": True},
    " ai": {"ai": True},
    " both": EVERYTHING,
}


def main() -> None:
    """Measure each variant once, after an install that fills the cache."""
    patterns = sys.argv[1:] or helpers.PATTERNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = environments.bare(folder)
        bare.uv(
            helpers.render("celery", "none", folder / "first", **EVERYTHING), "sync"
        )
        measured: dict[str, list[float]] = {}
        for pattern, extra in product(patterns, EXTRAS):
            project = helpers.render(
                pattern, "none", folder / f"my-{pattern}", **EXTRAS[extra]
            )
            measured |= measure(bare, project, f"{pattern}{extra}")
            project.rename(folder / f"{pattern}{extra}")
    show(measured)
    late = [
        name
        for name, [took] in measured.items()
        if name.endswith(BOTH) and took > LIMIT
    ]
    print(f"over {LIMIT:.0f} s: {', '.join(late) or 'none'}")


def measure(bare: Environment, project: Path, variant: str) -> dict[str, list[float]]:
    """Return what the install took, the tests, both, and how long all processes were computing."""
    before = computed()
    install = seconds(partial(bare.uv, project, "sync", UV_OFFLINE="1"))
    tests = seconds(partial(bare.test, project, UV_OFFLINE="1"))
    return {
        f"{variant}: install": [install],
        f"{variant}: own tests": [tests],
        f"{variant}{BOTH}": [install + tests],
        f"{variant}: CPU": [computed() - before],
    }


def computed() -> float:
    """Return the CPU seconds of all processes that have been started, and have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()

"""Install each pattern, and run its own tests: packages come from the cache, no server is needed."""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.table import seconds, show
from tests import helpers
from tests.projects import environments


def main() -> None:
    """Measure each pattern once, after an install that fills the cache."""
    measured = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = environments.bare(folder)
        bare.uv(helpers.render("celery", "none", folder / "first"), "sync")
        for pattern in helpers.PATTERNS:
            project = helpers.render(pattern, "none", folder / f"my-{pattern}")
            install = seconds(partial(bare.uv, project, "sync", UV_OFFLINE="1"))
            tests = seconds(partial(bare.test, project, UV_OFFLINE="1"))
            measured[f"{pattern}: install"] = [install]
            measured[f"{pattern}: own tests"] = [tests]
            measured[f"{pattern}: both"] = [install + tests]
    show(measured)


if __name__ == "__main__":
    main()

"""How claim, list and status slow down from a thousand task runs to a million: they must not.

Prints, for SQLite and PostgreSQL, the median of each at both sizes, and their ratio.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import helpers
from tests.projects import environments, services
from tests.projects.environments import Environment

SIZES = (1_000, 1_000_000)
INSIDE = Path(__file__).parent / "inside" / "outbox_rows.py"


def main() -> None:
    """Measure both databases."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = environments.shared(folder, "highest")
        show("sqlite", measure(newest, folder / "sqlite", {}))
        with services.postgres() as server:
            show("postgresql", measure(newest, folder / "postgresql", {"DATABASE_URL": server.url}))


def measure(newest: Environment, folder: Path, settings: dict[str, str]) -> dict[str, list[float]]:
    """Return the seconds of each statement, at each size."""
    measured: dict[str, list[float]] = {}
    project = helpers.render("safe", "none", folder / "project")
    python = [*newest.variables["UV_PROJECT_ENVIRONMENT"].split(), "bin", "python"]
    for size in SIZES:
        command = [str(Path(*python)), str(INSIDE), str(size)]
        done = subprocess.run(
            command,
            cwd=project,
            env=newest.variables | settings | {"PYTHONPATH": str(project)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for what, seconds in json.loads(done.stdout).items():
            measured.setdefault(what, []).append(seconds)
    return measured


def show(database: str, measured: dict[str, list[float]]) -> None:
    """Print a line for each statement."""
    small, large = SIZES
    print(f"{database:28}  {small:>9,}  {large:>9,}  ratio")
    for what, (few, many) in measured.items():
        print(f"  {what:26}  {few * 1e3:6.2f} ms  {many * 1e3:6.2f} ms  {many / few:5.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

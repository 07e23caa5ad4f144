"""How claim, list and status slow down from a thousand task runs to a million: they must not.

Two projects, one of each size, are asked by turns, so that whatever else the machine does meets both. Prints,
for SQLite and PostgreSQL, the medians of all turns, and the median of the ratios of each pair.
"""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg

from tests import helpers
from tests.projects import environments, services
from tests.projects.environments import Environment

SIZES = (1_000, 1_000_000)
TURNS = 30
WARM = 5
INSIDE = Path(__file__).parent / "inside" / "outbox_rows.py"
Process = subprocess.Popen[str]


def main() -> None:
    """Measure both databases."""
    with tempfile.TemporaryDirectory() as name, services.postgres() as server:
        folder = Path(name)
        newest = environments.shared(folder, "highest")
        show("sqlite", measure(newest, folder / "sqlite", {}, {}))
        urls = (
            {"DATABASE_URL": create(server.url, name)} for name in ("small", "large")
        )
        show("postgresql", measure(newest, folder / "postgresql", *urls))


def create(url: str, name: str) -> str:
    """Create a database on a server, and return its URL."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.removesuffix("postgres") + name


def measure(
    newest: Environment, folder: Path, *settings: dict[str, str]
) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of each statement, at both sizes, of each turn."""
    with ExitStack() as ended:
        asked = [
            begin(newest, folder, *each) for each in zip(SIZES, settings, strict=True)
        ]
        for process in asked:
            ended.callback(process.kill)
        names, _ = [
            json.loads(line(process)) for process in asked
        ]  # once both are filled
        for _ in range(WARM):
            ask(asked, names)
        turns = [ask(asked, names) for _ in range(TURNS)]
    return {name: [turn[name] for turn in turns] for name in names}


def begin(
    newest: Environment, folder: Path, size: int, settings: dict[str, str]
) -> Process:
    """Start a project that fills its outbox up to this size, then waits to be asked."""
    project = helpers.render("safe", "none", folder / f"project{size}")
    python = Path(newest.variables["UV_PROJECT_ENVIRONMENT"], "bin", "python")
    return subprocess.Popen(
        [str(python), str(INSIDE), str(size)],
        cwd=project,
        env=newest.variables | settings | {"PYTHONPATH": str(project)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(asked: list[Process], names: list[str]) -> dict[str, tuple[float, float]]:
    """Have each statement timed by both, one after the other."""
    return {name: (answer(asked[0], name), answer(asked[1], name)) for name in names}


def answer(process: Process, name: str) -> float:
    """Have a statement timed."""
    assert process.stdin
    print(name, file=process.stdin, flush=True)
    return float(line(process))


def line(process: Process) -> str:
    """Return what a process prints next."""
    assert process.stdout
    return process.stdout.readline()


def show(database: str, measured: dict[str, list[tuple[float, float]]]) -> None:
    """Print a line for each statement."""
    small, large = SIZES
    print(f"{database:28}  {small:>9,}  {large:>9,}  ratio")
    for what, turns in measured.items():
        few, many = (median(times) for times in zip(*turns, strict=True))
        ratio = median(many / few for few, many in turns)
        print(f"  {what:28}{few * 1e3:8.2f} ms{many * 1e3:8.2f} ms{ratio:7.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

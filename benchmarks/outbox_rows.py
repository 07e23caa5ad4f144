"""How much slower claim, list and status are with a million task runs than with 1,000.

Two projects, one of each size, take turns, so that other load affects both. The
benchmark prints the medians of all turns, and the median ratio of the pairs, for SQLite
and PostgreSQL.
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
from tests.projects import services
from tests.projects.environments import Installation, InstalledEnvironment

SIZES = (1_000, 1_000_000)
TURNS = 30
WARM = 5
INSIDE = Path(__file__).parent / "inside" / "outbox_rows.py"
Process = subprocess.Popen[str]


def main() -> None:
    """Measure both databases."""
    with tempfile.TemporaryDirectory() as name, services.postgres() as server:
        folder = Path(name)
        newest = InstalledEnvironment(folder, Installation())
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
    newest: InstalledEnvironment, folder: Path, *settings: dict[str, str]
) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of each statement of each turn, at both sizes."""
    with ExitStack() as stack:
        processes = []
        for size, variables in zip(SIZES, settings, strict=True):
            process = start(newest, folder, size, variables)
            stack.callback(process.kill)
            processes.append(process)
        names, _ = [json.loads(read_line(process)) for process in processes]
        for _ in range(WARM):
            take_turn(processes, names)
        turns = [take_turn(processes, names) for _ in range(TURNS)]
    return {name: [turn[name] for turn in turns] for name in names}


def start(
    newest: InstalledEnvironment, folder: Path, size: int, settings: dict[str, str]
) -> Process:
    """Start a process that fills its outbox, and then waits for names of statements."""
    project = helpers.render("safe", "none", folder / f"project{size}")
    variables = newest.variables(project) | {"PYTHONPATH": str(project)}
    return subprocess.Popen(
        [str(newest.python(project)), str(INSIDE), str(size)],
        cwd=project,
        env=variables | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def take_turn(
    processes: list[Process], names: list[str]
) -> dict[str, tuple[float, float]]:
    """Let both processes measure each statement, one after the other."""
    small, large = processes
    return {name: (measured(small, name), measured(large, name)) for name in names}


def measured(process: Process, name: str) -> float:
    """Let a process measure a statement, and return the seconds."""
    assert process.stdin
    print(name, file=process.stdin, flush=True)
    return float(read_line(process))


def read_line(process: Process) -> str:
    """Return the next line that a process prints."""
    assert process.stdout
    return process.stdout.readline()


def show(database: str, results: dict[str, list[tuple[float, float]]]) -> None:
    """Print a line for each statement."""
    small, large = SIZES
    print(f"{database:28}  {small:>9,}  {large:>9,}  ratio")
    for name, turns in results.items():
        few, many = (median(times) for times in zip(*turns, strict=True))
        ratio = median(many / few for few, many in turns)
        print(f"  {name:28}{few * 1e3:8.2f} ms{many * 1e3:8.2f} ms{ratio:7.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

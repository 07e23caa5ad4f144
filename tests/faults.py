"""The fault suite on every combination: `uv run poe faults --help`."""

import argparse
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

from bgscaffold.patterns import RECORDS
from bgscaffold.verify.suite.faults.environment import Environment, OwnServers
from bgscaffold.verify.suite.faults.registry import (
    BROKERS,
    DATABASES,
    FAULTS,
    Combination,
    combinations,
)
from bgscaffold.verify.suite.faults.run import run_all
from bgscaffold.verify.suite.faults.table import Row, table
from bgscaffold.verify.suite.project import VerifiedProject
from bgscaffold.verify.suite.servers import (
    Postgres,
    Rabbitmq,
    Redis,
    Server,
    free_port,
    programs,
)
from tests import helpers
from tests.projects import environments

ABOUT = """\
Each row is one fault. It is done to the processes of a new project under load.
Accepted: requests answered 202. Done: their effects, lines in a file outside the
database. Doubled: effects seen more than once, which a crash may cause. Lost must be 0."""
PAGE = helpers.ROOT / "docs" / "faults.md"
BROKER_SERVERS = {"redis": Redis, "rabbitmq": Rabbitmq}
DURABLE = [pattern for pattern, record in RECORDS.items() if record.durable]
PACKAGES = (
    *("fastapi", "uvicorn", "sqlalchemy", "aiosqlite", "psycopg"),
    *("celery", "kombu"),
)
ASK = (
    "import sys, importlib.metadata as m;"
    "print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep=', ')"
)


def main() -> int:
    """Run the chosen faults, and return 1 if a promise was broken."""
    options = _options()
    # Ending this process ends all that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {options.seed}", flush=True)
    prefix = "faults-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        python = options.python or environments.python_with_everything(folder)
        rows = list(_run(options, folder, python))
        measured = _versions(python)
    text = _report(options, rows, measured)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return int(any(row.failed for row in rows))


def _options() -> argparse.Namespace:
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(
        prog="poe faults", description="Break new projects."
    )
    parser.add_argument("--quick", action="store_true", help="short, on the defaults")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--only", action="append", choices=names, metavar="NAME")
    parser.add_argument("--pattern", choices=DURABLE)
    parser.add_argument("--broker", choices=BROKERS)
    parser.add_argument("--database", choices=DATABASES)
    parser.add_argument("--python", type=Path, help="of an environment that exists")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return parser.parse_args()


def _run(options: argparse.Namespace, folder: Path, python: Path) -> Iterator[Row]:
    for on in _chosen(options):
        with environment(on, folder, python) as given:
            chosen = replace(given, seed=options.seed, quick=options.quick)
            yield from run_all(chosen, options.only or (), report=_print)


def _chosen(options: argparse.Namespace) -> list[Combination]:
    chosen = [on for on in combinations() if _is_chosen(on, options)]
    if options.quick and not (options.broker or options.database):
        defaults = ("", "embedded"), ("sqlite",)
        return [
            on
            for on in chosen
            if on.broker in defaults[0] and on.database in defaults[1]
        ]
    return chosen


def _is_chosen(on: Combination, options: argparse.Namespace) -> bool:
    return (
        options.pattern in (None, on.pattern)
        and options.broker in (None, on.broker)
        and options.database in (None, on.database)
    )


@contextmanager
def environment(on: Combination, folder: Path, python: Path) -> Iterator[Environment]:
    """Render a project, and start the private servers of a combination."""
    rendered = folder / f"{on.pattern}-{free_port()}"
    helpers.render(on.pattern, "none", rendered, project_name="faults")
    with ExitStack() as stack:
        servers = OwnServers(
            broker=_broker(on, folder, stack), postgres=_postgres(on, folder, stack)
        )
        project = VerifiedProject(
            source=rendered,
            python=python,
            pattern=on.pattern,
            database_server=servers.postgres.url if servers.postgres else "",
            broker=servers.broker.url if servers.broker else "",
        )
        yield Environment(
            on=on,
            project=project,
            folder=folder,
            servers=servers,
            seed=0,
            quick=True,
        )


def _broker(on: Combination, folder: Path, stack: ExitStack) -> Server | None:
    if on.broker not in BROKER_SERVERS:
        return None
    server = BROKER_SERVERS[on.broker](_subfolder(folder, on.broker))
    stack.callback(server.close)
    return server


def _postgres(on: Combination, folder: Path, stack: ExitStack) -> Postgres | None:
    if on.database != "postgresql":
        return None
    server = Postgres(_subfolder(folder, "postgres"))
    stack.callback(server.close)
    return server


def _subfolder(folder: Path, name: str) -> Path:
    # RabbitMQ's node is called after it, and PostgreSQL enters it as another user.
    subfolder = folder / f"faults-{name}-{free_port()}"
    subfolder.mkdir()
    return subfolder


def _print(row: Row) -> None:
    print(f"[{row.on}] {row}", *row.trouble.splitlines(), sep="\n", flush=True)


def _report(options: argparse.Namespace, rows: list[Row], measured: str) -> str:
    command = " ".join(["uv run poe faults", *sys.argv[1:]])
    seed = f"`{command}`, seed {options.seed}"
    return f"# Faults\n\n{ABOUT}\n\n{seed}\n\n{measured}.\n\n{table(rows)}\n"


def _versions(python: Path) -> str:
    """Return the names and versions of what was measured."""
    packages = _output(str(python), "-c", ASK, *PACKAGES)
    servers = [
        _output(*programs(name), "--version") for name in ("redis-server", "postgres")
    ]
    rabbitmq = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    own = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    names = [own, packages, *servers, *(path.name for path in rabbitmq[-1:])]
    return ", ".join(names)


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())

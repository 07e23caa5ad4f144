"""Run the faults and print what came of each: `uv run poe faults --help`."""

import argparse
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

import httpx2
import psycopg

from tests import helpers
from tests.faults import brokers, burdens, chaos, databases, kills, terminations
from tests.faults.house import House
from tests.faults.registry import BROKERS, DATABASES, FAULTS, PATTERNS, Combination, Fault
from tests.faults.table import Row, table
from tests.projects import environments

MODULES = (kills, terminations, burdens, brokers, databases, chaos)
TROUBLE = (AssertionError, OSError, RuntimeError, httpx2.HTTPError, psycopg.Error, sqlite3.Error)
PAGE = helpers.ROOT / "docs" / "faults.md"


def main() -> int:
    """Run what was asked for, and return 1 when a promise was broken."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, too
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        rows = list(_run_all(options, folder))
    text = _report(options, rows)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return int(any(row.failed for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="poe faults", description="Break generated projects.")
    parser.add_argument("--quick", action="store_true", help="one short round, on the defaults")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--only", action="append", choices=_names(), metavar="NAME")
    parser.add_argument("--pattern", choices=PATTERNS)
    parser.add_argument("--broker", choices=BROKERS)
    parser.add_argument("--database", choices=DATABASES)
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return parser.parse_args()


def _names() -> list[str]:
    return [fault.name for fault in FAULTS]


def _combinations(options: argparse.Namespace) -> list[Combination]:
    safe = [Combination("safe", "", database) for database in DATABASES]
    celery = [Combination("celery", b, database) for b in BROKERS for database in DATABASES]
    chosen = [on for on in (*safe, *celery) if _is_chosen(on, options)]
    if options.quick and not (options.broker or options.database):
        return [on for on in chosen if on.broker in ("", "embedded") and on.database == "sqlite"]
    return chosen


def _is_chosen(on: Combination, options: argparse.Namespace) -> bool:
    return (
        options.pattern in (None, on.pattern)
        and options.broker in (None, on.broker)
        and options.database in (None, on.database)
    )


def _run_all(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    cache = folder / "environments"
    cache.mkdir()
    environment = environments.shared(cache, "highest")
    for on in _combinations(options):
        with House(on, folder, environment) as house:
            for fault in _faults(options, on):
                row = _run(house, fault, options)
                print(f"[{on}] {row}", *row.trouble.splitlines(), sep="\n", flush=True)
                yield row


def _faults(options: argparse.Namespace, on: Combination) -> list[Fault]:
    chosen = [fault for fault in FAULTS if fault.applies_to(on)]
    if options.only:
        return [fault for fault in chosen if fault.name in options.only]
    return [fault for fault in chosen if fault.quick or not options.quick]


def _run(house: House, fault: Fault, options: argparse.Namespace) -> Row:
    trouble = ""
    number = time.monotonic_ns()
    with house.bench(fault, number, options.seed, options.quick) as bench:
        try:
            fault.run(bench)
        except TROUBLE as error:
            trouble = f"{type(error).__name__}: {error}\n{bench.stack.said()}"
        load = bench.load
        accepted = len(load.accepted - bench.accepted_but)
        harm = (len(load.doubled()), len(bench.lost()), bench.injected, bench.recovered)
    return Row(house.on, fault, accepted, *harm, trouble)


def _report(options: argparse.Namespace, rows: list[Row]) -> str:
    command = " ".join(["uv run poe faults", *sys.argv[1:]])
    return f"# Faults\n\n`{command}`, seed {options.seed}\n\n{table(rows)}\n"


if __name__ == "__main__":
    raise SystemExit(main())

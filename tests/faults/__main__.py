"""Run the faults and print what came of each: `uv run poe faults --help`."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

from tests import helpers
from tests.faults.house import House
from tests.faults.registry import BROKERS, DATABASES, FAULTS, PATTERNS, Combination, Fault
from tests.faults.run import MODULES, run
from tests.faults.table import Row, table
from tests.faults.versions import versions
from tests.projects import environments
from tests.projects.environments import Environment

ABOUT = """\
Each row is one fault, done to the real processes of a freshly rendered project under load. Accepted:
requests answered 202. Done: their effects, lines in a file outside the database. Doubled: effects
seen more than once, which a crash may cause. Lost must be 0."""
PAGE = helpers.ROOT / "docs" / "faults.md"


def main() -> int:
    """Run what was asked for, and return 1 when a promise was broken."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, too
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        newest = environments.shared(folder, "highest")
        rows = list(_run_all(options, folder, newest))
        measured = versions(newest)
    text = _report(options, rows, measured)
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


def _run_all(options: argparse.Namespace, folder: Path, newest: Environment) -> Iterator[Row]:
    for on in _combinations(options):
        with House(on, folder, newest) as house:
            for fault in _faults(options, on):
                row = run(house, fault, options.seed, quick=options.quick)
                print(f"[{on}] {row}", *row.trouble.splitlines(), sep="\n", flush=True)
                yield row


def _faults(options: argparse.Namespace, on: Combination) -> list[Fault]:
    order = [module.__name__ for module in MODULES]
    ordered = sorted(FAULTS, key=lambda fault: order.index(fault.run.__module__))
    chosen = [fault for fault in ordered if fault.applies_to(on)]
    if options.only:
        return [fault for fault in chosen if fault.name in options.only]
    return [fault for fault in chosen if fault.quick or not options.quick]


def _report(options: argparse.Namespace, rows: list[Row], measured: str) -> str:
    command = " ".join(["uv run poe faults", *sys.argv[1:]])
    return (
        f"# Faults\n\n{ABOUT}\n\n`{command}`, seed {options.seed}\n\n{measured}.\n\n{table(rows)}\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())

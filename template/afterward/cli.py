"""The command line: `python -m afterward [--app MODULE] worker|beat|dev|migration`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from afterward.background import Background
from afterward.errors import StartupError

DESCRIPTION = "Run and maintain the background tasks of an application."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    given, rest = _parser().parse_known_args(arguments)
    try:
        exit_code: int = given.command(given, rest)
    except StartupError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m afterward", description=DESCRIPTION
    )
    parser.add_argument(
        "--app",
        default="app.background",
        help="the module with `background = Background(...)` (default: %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, help_text) in COMMANDS.items():
        added = commands.add_parser(name, help=help_text, description=help_text)
        added.set_defaults(command=command, name=name)
    return parser


def run_celery(given: argparse.Namespace, rest: list[str]) -> int:
    """Replace this process by Celery's worker or beat."""
    background = _background(given.app)
    if background.backend.name != "celery":
        raise StartupError(
            f"Pattern {background.backend.name!r} runs its tasks in the web process, and"
            " has no workers. Run: uv run poe dev"
        )
    celery = ["celery", "--app", given.app, *CELERY[given.name], "--loglevel", "INFO"]
    os.execv(sys.executable, [sys.executable, "-m", *celery, *rest])


def run_dev(_given: argparse.Namespace, _rest: list[str]) -> int:
    """Start everything that the project needs in one terminal."""
    from afterward import dev

    return dev.main()


def write_migration(given: argparse.Namespace, _rest: list[str]) -> int:
    """Write a revision that brings the outbox to the newest version of its schema."""
    from afterward.outbox import revision

    written = revision.write_revision(_background(given.app).database, Path.cwd())
    print(written)
    return 0


def _background(module: str) -> Background:
    sys.path.insert(0, "")
    loaded: Any = importlib.import_module(module)
    for value in vars(loaded).values():
        if isinstance(value, Background):
            return value
    raise StartupError(f"{module} has no `background = Background(...)`.")


CELERY = {"worker": ["worker"], "beat": ["--quiet", "beat"]}
COMMANDS = {
    "worker": (run_celery, "Start a Celery worker; more options go to Celery."),
    "beat": (run_celery, "Start Celery's scheduler; one is enough."),
    "dev": (run_dev, "Start all processes in one terminal, and again after a change."),
    "migration": (write_migration, "Write the next migration of the outbox's schema."),
}

"""A suite in a process of its own, which leaves no process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.system.processes import kill_session
from bgscaffold.system.signals import run_interruptibly
from bgscaffold.verify.errors import VerifyInterruptedError

MARK = "BGSCAFFOLD_VERIFY"  # a variable of all processes that a suite starts
END_TIMEOUT = 60.0  # seconds in which a suite drops its database and ends its servers
PROC = Path("/proc")
INHERITED = ("PYTEST_", "PYTHON", "COV_", "COVERAGE_", "DATABASE_URL", "BROKER_URL")


@dataclass(frozen=True)
class SuiteCommand:
    """How a suite is run: a Python module with arguments."""

    name: str
    arguments: list[str]
    shows_progress: bool = False  # on standard error


def run_suite(
    command: SuiteCommand, env: Mapping[str, str], log: Path, mark: str
) -> int:
    """Run a suite to its end, and return its exit code. Its output goes to `log`.

    An interruption ends it and everything that it has started.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command.arguments],
            cwd=log.parent,  # which has no module that Python would import
            env=suite_env(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if command.shows_progress else output,
            start_new_session=True,
        )

    def end() -> None:
        end_process(process)
        kill_marked(mark)

    return run_interruptibly(process.wait, end, VerifyInterruptedError(command.name))


def suite_env(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a suite, without what would change its tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(INHERITED)}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | dict(env)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a suite: let it clean up first, as Ctrl-C does."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT)
    kill_session(process)


def kill_marked(mark: str) -> None:
    """End every process with this mark. Only Linux shows them."""
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"{MARK}={mark}".encode() in variables:
                os.kill(int(folder.name), signal.SIGKILL)

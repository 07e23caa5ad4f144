"""Tasks whose only effect is one line in a file outside the database."""

# mypy: disable-error-code="import-not-found,untyped-decorator"

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

from afterward import task


def append(file: str, name: str, started: float) -> None:
    """Append one line, whole, whichever process writes it."""
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(opened, f"{name} {started:.3f} {os.getpid()}\n".encode())
    os.close(opened)


def effect(name: str, started: float) -> None:
    """Do what the task is there for."""
    append(os.environ["FAULTS_LOG"], name, started)


@task("bgscaffold_faults.instant")
def instant(name: str, _seconds: float) -> None:
    """End at once."""
    effect(name, time.time())


@task("bgscaffold_faults.slow")
def slow(name: str, seconds: float) -> None:
    """Work for some seconds, in a thread or in a worker's process."""
    started = time.time()
    time.sleep(seconds)
    effect(name, started)


@task("bgscaffold_faults.slow_async")
async def slow_async(name: str, seconds: float) -> None:
    """Work for some seconds, on the loop."""
    started = time.time()
    await asyncio.sleep(seconds)
    effect(name, started)


@task("bgscaffold_faults.leave")
def leave(name: str, attempts: float) -> None:
    """End the whole process at the first attempts, then succeed."""
    file = Path(os.environ["FAULTS_LOG"] + ".attempts")
    append(str(file), name, time.time())
    if (
        sum(line.startswith(f"{name} ") for line in file.read_text().splitlines())
        <= attempts
    ):
        os._exit(1)
    effect(name, time.time())


@task("bgscaffold_faults.interrupted", retries=0, timeout=1)
def interrupted(_name: str, _seconds: float) -> None:
    """Work for longer than the time limit."""
    threading.Event().wait()


@task("bgscaffold_faults.stubborn", retries=0, timeout=1)
def stubborn(_name: str, _seconds: float) -> None:
    """Take no notice of any interruption."""
    while True:
        with contextlib.suppress(Exception):
            threading.Event().wait()


@task("bgscaffold_faults.never_end")
def never_end(name: str, _seconds: float) -> None:
    """Begin, and never end."""
    effect(name, time.time())
    threading.Event().wait()

"""Tasks that write marks."""

# mypy: disable-error-code="import-not-found,untyped-decorator"

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

from afterward import Failure, on_failure, progress, task

from ..background import background_tasks
from ..database import engine
from .notes import Note, mark


@task("bgscaffold_contract.note")
def note(line: str) -> None:
    """Write a mark."""
    mark(line)


@task("bgscaffold_contract.note_async")
async def note_async(line: str) -> None:
    """Write a mark, from an `async def` task."""
    mark(line)


@task("bgscaffold_contract.show")
def show(*values: Any, **named: Any) -> None:
    """Write a mark that shows the arguments as they arrive."""
    mark(f"show {values!r} {named!r}")


@task("bgscaffold_contract.fail")
def fail(line: str) -> None:
    """Write a mark, then fail."""
    mark(line)
    raise ValueError(line)


@task("bgscaffold_contract.flaky")
def flaky(line: str, failures: int) -> None:
    """Fail at the first attempts, then succeed."""
    mark(line)
    if (
        Path(os.environ["BGSCAFFOLD_MARKS"]).read_text().splitlines().count(line)
        <= failures
    ):
        raise ConnectionError(line)


@task("bgscaffold_contract.exit")
async def leave(line: str) -> None:
    """Write a mark, then try to end the process."""
    mark(line)
    raise SystemExit(line)


@task("bgscaffold_contract.cancel")
async def cancel(line: str) -> None:
    """Write a mark, then look cancelled."""
    mark(line)
    raise asyncio.CancelledError


@task("bgscaffold_contract.wait")
def wait(gate: str) -> None:
    """Wait until the test opens the gate."""
    mark(f"waiting {gate}")
    while not Path(gate).exists():
        time.sleep(0.01)
    mark(f"passed {gate}")


@task("bgscaffold_contract.wait_async")
async def wait_async(gate: str) -> None:
    """Do the same without a thread, and report progress."""
    mark(f"waiting {gate}")
    progress(0.5, "half way")
    while True:
        if await anyio.Path(gate).exists():
            break
        await asyncio.sleep(0.01)
    mark(f"passed {gate}")


@task("bgscaffold_contract.die")
def die(line: str) -> None:
    """End the process, as a crash in a C library does."""
    mark(line)
    os._exit(1)


@task("bgscaffold_contract.slow", timeout=0.05)
async def slow(line: str) -> None:
    """Take longer than allowed."""
    mark(line)
    await asyncio.Event().wait()


@on_failure
def report(failure: Failure) -> None:
    """Write a mark for each failure, as an error tracker would record it."""
    error = type(failure.error).__name__
    mark(f"reported {failure.task} {error} {failure.attempt} {failure.outcome}")


@task("bgscaffold_contract.read")
async def read(note_id: str) -> None:
    """Mark whether the row of the request exists, then fail."""
    async with AsyncSession(engine()) as session:
        found = await session.get(Note, note_id)
    mark(f"read {note_id} {found is not None}")
    raise ValueError("after reading")


@task("bgscaffold_contract.chain")
def chain(line: str) -> None:
    """Enqueue two more tasks, from `def` and then from `async def` code."""
    with background_tasks() as tasks:
        tasks.add_task(chain_async, line)


@task("bgscaffold_contract.chain_async")
async def chain_async(line: str) -> None:
    """Enqueue one more task from `async def` code."""
    async with background_tasks() as tasks:
        tasks.add_task(note, line)


def not_a_task(line: str) -> None:
    """Do what a task does; this function is not registered."""
    mark(line)

"""Tasks that leave a mark."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

from app.background import Failure, background_tasks, on_failure, progress, task
from app.database import engine

from .notes import Note, mark


@task("contract.note")
def note(line: str) -> None:
    """Leave a mark."""
    mark(line)


@task("contract.note_async")
async def note_async(line: str) -> None:
    """Leave a mark, from an `async def` task."""
    mark(line)


@task("contract.show")
def show(*values: Any, **named: Any) -> None:
    """Leave a mark that shows the arguments as they arrive."""
    mark(f"show {values!r} {named!r}")


@task("contract.fail")
def fail(line: str) -> None:
    """Leave a mark, then fail."""
    mark(line)
    raise ValueError(line)


@task("contract.flaky")
def flaky(line: str, failures: int) -> None:
    """Fail at the first attempts, then succeed."""
    mark(line)
    if Path(os.environ["MARKS"]).read_text().splitlines().count(line) <= failures:
        raise ConnectionError(line)


@task("contract.exit")
async def leave(line: str) -> None:
    """Leave a mark, then try to end the process."""
    mark(line)
    raise SystemExit(line)


@task("contract.cancel")
async def cancel(line: str) -> None:
    """Leave a mark, then look cancelled."""
    mark(line)
    raise asyncio.CancelledError


@task("contract.wait")
def wait(gate: str) -> None:
    """Wait until the test opens the gate."""
    mark(f"waiting {gate}")
    while not Path(gate).exists():
        time.sleep(0.01)
    mark(f"passed {gate}")


@task("contract.wait_async")
async def wait_async(gate: str) -> None:
    """Do the same without a thread, and say how far it has come."""
    mark(f"waiting {gate}")
    progress(0.5, "half way")
    while True:
        if await anyio.Path(gate).exists():
            break
        await asyncio.sleep(0.01)
    mark(f"passed {gate}")


@task("contract.die")
def die(line: str) -> None:
    """End the process, as a crash in a C library does."""
    mark(line)
    os._exit(1)


@task("contract.slow", timeout=0.05)
async def slow(line: str) -> None:
    """Take longer than allowed."""
    mark(line)
    await asyncio.Event().wait()


@on_failure
def tell(failure: Failure) -> None:
    """Mark each failure, as an error tracker would note it."""
    mark(f"told {failure.task} {type(failure.error).__name__} {failure.attempt} {failure.outcome}")


@task("contract.read")
async def read(note_id: str) -> None:
    """Say whether the row of the request is there, then fail."""
    async with AsyncSession(engine()) as session:
        found = await session.get(Note, note_id)
    mark(f"read {note_id} {found is not None}")
    raise ValueError("after reading")


@task("contract.chain")
def chain(line: str) -> None:
    """Enqueue two more tasks, from `def` and then from `async def` code."""
    with background_tasks() as tasks:
        tasks.add_task(chain_async, line)


@task("contract.chain_async")
async def chain_async(line: str) -> None:
    """Enqueue one more task from `async def` code."""
    async with background_tasks() as tasks:
        tasks.add_task(note, line)


def not_a_task(line: str) -> None:
    """Nobody has registered this function."""
    mark(line)

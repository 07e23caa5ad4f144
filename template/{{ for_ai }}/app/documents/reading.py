"""Starts `extract.py` on a document, and hands on its chunks as they come."""

import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import NamedTuple

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from app.documents.extract import UnreadableError
from app.documents.files import path_of
from app.documents.settings import settings

SCRIPT = Path(__file__).with_name("extract.py")
LINE = 100_000  # bytes, more than a chunk can have
AT_A_TIME = 16  # chunks that are embedded and stored together: moments, which nobody notices
BUSY = 10  # times DOCUMENT_TIMEOUT: how long a machine that has much to do may let a reader wait
_one = anyio.CapacityLimiter(1)  # reading is computing: another process would only slow both down


class Passage(NamedTuple):
    """A chunk, and how much of its document has been read with it."""

    done: float
    text: str


@asynccontextmanager
async def reading(document_id: str, kind: str) -> AsyncIterator[AsyncIterator[list[Passage]]]:
    """Yield the chunks of a document, some at a time. Leaving the block ends the process."""
    # -P: its folder is no place to import from, for it holds a `settings` and a `tasks`.
    arguments = [kind, str(path_of(document_id).absolute()), str(settings.document_timeout)]
    command = [sys.executable, "-P", str(SCRIPT), *arguments]
    async with _one:
        process = await anyio.open_process(command, stdin=DEVNULL, stderr=None)
        try:
            yield _batches(process)
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.aclose()


async def _batches(process: Process) -> AsyncIterator[list[Passage]]:
    batch: list[Passage] = []
    total = 0
    async for passage in _passages(process):
        batch.append(passage)
        total += 1
        if total > settings.document_max_chunks:
            raise UnreadableError(f"It is too long: more than {total - 1} chunks.")
        if len(batch) == AT_A_TIME:
            yield batch
            batch = []
    if batch:
        yield batch


async def _passages(process: Process) -> AsyncIterator[Passage]:
    assert process.stdout
    lines = BufferedByteReceiveStream(process.stdout)
    left = settings.document_timeout * BUSY  # of waiting for it: embedding takes what it takes
    while True:
        begun = time.monotonic()
        try:
            with anyio.fail_after(left):  # its TimeoutError is the machine's fault: tried again
                line = json.loads(await lines.receive_until(b"\n", LINE))
        except (anyio.EndOfStream, anyio.IncompleteRead):
            break
        left -= time.monotonic() - begun
        if "error" in line:
            raise UnreadableError(line["error"])
        yield Passage(**line)
    if (code := await process.wait()) == -signal.SIGPROF:
        limit = settings.document_timeout
        raise UnreadableError(f"Reading it took longer than {limit:g} seconds of computing.")
    if code:
        raise UnreadableError(f"Reading it broke off (exit code {code}).")

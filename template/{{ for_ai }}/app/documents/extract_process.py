"""Runs `extract.py` on a document, and returns its chunks while they arrive."""

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
from app.documents.files import document_path
from app.documents.settings import settings

SCRIPT = Path(__file__).with_name("extract.py")
MAX_LINE = 100_000  # bytes, more than a chunk can have
BATCH_SIZE = 16  # chunks that are embedded and stored together, in milliseconds
WAIT_FACTOR = 10  # a busy machine may take this many times DOCUMENT_TIMEOUT
_one_at_a_time = anyio.CapacityLimiter(1)  # two would slow each other down


class ExtractedChunk(NamedTuple):
    """A chunk, and the fraction of the document that has been read with it."""

    progress: float
    text: str


Batches = AsyncIterator[list[ExtractedChunk]]


@asynccontextmanager
async def extracting(document_id: str, kind: str) -> AsyncIterator[Batches]:
    """Yield the chunks of a document in batches. Leaving the block ends the process."""
    path = str(document_path(document_id).absolute())
    # -P: otherwise `settings.py` and `tasks.py` beside the script could be imported.
    command = [sys.executable, "-P", str(SCRIPT)]
    command += [kind, path, str(settings.document_timeout)]
    async with _one_at_a_time:
        process = await anyio.open_process(command, stdin=DEVNULL, stderr=None)
        try:
            yield _batches(process)
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.aclose()


async def _batches(process: Process) -> Batches:
    batch: list[ExtractedChunk] = []
    total = 0
    async for chunk in _chunks(process):
        batch.append(chunk)
        total += 1
        if total > settings.document_max_chunks:
            limit = settings.document_max_chunks
            raise UnreadableError(f"It is too long: more than {limit} chunks.")
        if len(batch) == BATCH_SIZE:
            yield batch
            batch = []
    if batch:
        yield batch


async def _chunks(process: Process) -> AsyncIterator[ExtractedChunk]:
    assert process.stdout
    stream = BufferedByteReceiveStream(process.stdout)
    seconds_left = settings.document_timeout * WAIT_FACTOR  # without embedding
    while True:
        started = time.monotonic()
        try:
            with anyio.fail_after(
                seconds_left
            ):  # the machine is busy: a retry may help
                line = json.loads(await stream.receive_until(b"\n", MAX_LINE))
        except (anyio.EndOfStream, anyio.IncompleteRead):
            break
        seconds_left -= time.monotonic() - started
        if "error" in line:
            raise UnreadableError(line["error"])
        yield ExtractedChunk(**line)
    _check_exit_code(await process.wait())


def _check_exit_code(code: int) -> None:
    if code == -signal.SIGPROF:
        limit = settings.document_timeout
        raise UnreadableError(f"It took more than {limit:g} seconds of CPU time.")
    if code:
        raise UnreadableError(f"The process that read it failed (exit code {code}).")

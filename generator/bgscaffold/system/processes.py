"""Running a process that may misbehave: it ends in time and leaves nothing behind."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

READER_TIMEOUT = 2.0  # seconds to read the last output of a killed process
SHOWN_CHARACTERS = 300  # of a line
SEARCHED_CHARACTERS = 8_000  # for secrets; longer than any secret
KEPT_BYTES = 1_000_000  # of the end of the output


@dataclass(frozen=True)
class ProcessResult:
    """The end of what a process printed, and how it ended."""

    stdout: str
    stderr: str
    status: str


def run_with_timeout(
    command: list[str | Path], timeout: float, **options: Any
) -> ProcessResult:
    """Run a command for some seconds at most, in a session of its own.

    The session is killed afterwards, because its processes may keep the output open.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )
    streams = (process.stdout, process.stderr)
    tails = bytearray(), bytearray()
    readers = [
        Thread(target=read_tail, args=pair, daemon=True)
        for pair in zip(streams, tails, strict=True)
    ]
    try:
        for reader in readers:
            reader.start()
        status = f"exit code {process.wait(timeout)}"
    except subprocess.TimeoutExpired:
        status = f"no end within {timeout:g} s"
    finally:
        kill_session(process)
        for reader in readers:
            reader.join(READER_TIMEOUT)
    out, err = (bytes(tail).decode(errors="replace") for tail in tails)
    return ProcessResult(stdout=out, stderr=err, status=status)


def read_tail(stream: IO[bytes], tail: bytearray) -> None:
    """Read a stream to its end, and keep the last bytes."""
    with stream:
        while chunk := os.read(stream.fileno(), 65_536):
            tail += chunk
            del tail[:-KEPT_BYTES]


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything that it has started."""
    with suppress(AttributeError, OSError):  # no sessions on Windows, or it has ended
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def last_line(printed: str, redact: Callable[[str], str]) -> str:
    """Return the last line of an output, printable and without secrets."""
    lines = printed.strip().splitlines() or [""]
    line = redact(lines[-1][-SEARCHED_CHARACTERS:])[-SHOWN_CHARACTERS:]
    return "".join(each if each.isprintable() else "?" for each in line)

"""A process that may do what it likes, and yet is over in time and leaves nothing behind."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any

READER_TIMEOUT = 2.0  # seconds for what a process that was killed has still to say
SHOWN_CHARACTERS = 300  # characters of one line that are shown
SEARCHED_CHARACTERS = (
    8_000  # those in which secrets are looked for: more than a secret has
)
KEPT_BYTES = 1_000_000  # bytes, the last ones, of what a project prints


def run_with_timeout(
    command: list[str | Path], patience: float, **options: Any
) -> tuple[str, str, str]:
    """Run a command for a while, and return the last part of what it printed, and its end.

    It has a session of its own, for what it starts may hold its output open after its end.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )
    printed = bytearray(), bytearray()
    readers = [
        Thread(target=read_tail, args=pair, daemon=True)
        for pair in zip((process.stdout, process.stderr), printed, strict=True)
    ]
    try:
        for reader in readers:
            reader.start()
        end = f"exit code {process.wait(patience)}"
    except subprocess.TimeoutExpired:
        end = f"no end within {patience:g} s"
    finally:
        kill_session(process)
        for reader in readers:
            reader.join(READER_TIMEOUT)
    out, err = (bytes(each).decode(errors="replace") for each in printed)
    return out, err, end


def read_tail(stream: IO[bytes], printed: bytearray) -> None:
    """Read until the end, and keep the last part."""
    with stream:
        while chunk := os.read(stream.fileno(), 65_536):
            printed += chunk
            del printed[:-KEPT_BYTES]


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever it has started."""
    with suppress(AttributeError, OSError):  # Windows has no sessions; it may be over
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def last_line(printed: str, hidden: Callable[[str], str]) -> str:
    """Return the last line that says something, fit to be shown: without a secret, or half of one."""
    line = hidden((printed.strip().splitlines() or [""])[-1][-SEARCHED_CHARACTERS:])[
        -SHOWN_CHARACTERS:
    ]
    return "".join(character if character.isprintable() else "?" for character in line)

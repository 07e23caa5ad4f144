"""Printing that never fails a command, and paths as the user would type them."""

import os
import sys
from pathlib import Path
from typing import TextIO


def echo(text: str, *, to_stderr: bool = False) -> bool:
    """Print a text, and return whether it could be written.

    What the terminal cannot show is escaped.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    if stream is None:  # the caller closed it, as with >&-
        return False
    printable = text.encode(stream.encoding, "backslashreplace")
    try:
        print(printable.decode(stream.encoding), file=stream, flush=True)
    except OSError:
        discard(stream)
        return False
    return True


def discard(stream: TextIO) -> None:
    """Send a stream to nowhere, or Python reports the same error when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def relative_to_cwd(path: Path) -> str:
    """Return the shorter spelling of a path."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)

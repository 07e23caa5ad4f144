"""Printing that cannot undo, or deny, what was done."""

import os
import sys
from pathlib import Path


def echo(text: str, *, to_stderr: bool = False) -> bool:
    """Print, with escapes for what the terminal cannot show, and tell whether it could be done."""
    stream = sys.stderr if to_stderr else sys.stdout
    if stream is None:  # closed by the caller, as with >&-
        return False
    encoding = stream.encoding
    try:
        print(
            text.encode(encoding, "backslashreplace").decode(encoding),
            file=stream,
            flush=True,
        )
    except OSError:
        # What is left in its buffer would fail once more, with a complaint, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def relative_to_cwd(folder: Path) -> str:
    """Return the shorter spelling of a folder's path."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)

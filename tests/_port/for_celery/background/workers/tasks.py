"""Tasks with options that only workers can honour."""

import os
import time
from pathlib import Path

from app.background import task


@task("workers.elsewhere", queue="slow")
def elsewhere(line: str) -> None:
    """Leave a mark, from a queue of its own."""
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write(f"{line}\n")


@task("workers.endless", timeout=0.2, retries=0)
def endless() -> None:
    """Take longer than allowed, outside the event loop."""
    while True:
        time.sleep(0.01)

"""Tasks with options that only workers support."""

# mypy: disable-error-code="import-not-found,untyped-decorator"

import os
import time
from pathlib import Path

from afterward import task


@task("bgscaffold_workers.elsewhere", queue="slow")
def elsewhere(line: str) -> None:
    """Write a mark, from a queue of its own."""
    with Path(os.environ["BGSCAFFOLD_MARKS"]).open("a") as marks:
        marks.write(f"{line}\n")


@task("bgscaffold_workers.endless", timeout=0.2, retries=0)
def endless() -> None:
    """Take longer than allowed, outside the event loop."""
    while True:
        time.sleep(0.01)

"""A task that runs every second."""

# mypy: disable-error-code="import-not-found,untyped-decorator"

import os
from pathlib import Path

from afterward import task


@task("bgscaffold_schedule.tick", cron="* * * * * *")
def tick() -> None:
    """Write a mark with the process that runs it."""
    with Path(os.environ["BGSCAFFOLD_MARKS"]).open("a") as marks:
        marks.write(f"tick {os.getsid(0)}\n")

"""A task that runs every second."""

import os
from pathlib import Path

from app.background import task


@task("scheduled.tick", cron="* * * * * *")
def tick() -> None:
    """Leave a mark."""
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write("tick\n")

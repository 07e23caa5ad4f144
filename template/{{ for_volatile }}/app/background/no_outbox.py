"""What the door gives where task runs are kept nowhere: nothing to look up, nothing to report."""

from fastapi import APIRouter

from app.monitoring import Report

router = APIRouter()


def progress(fraction: float, note: str = "") -> None:
    """Nobody can ask for the progress of a task here: this does nothing."""


def delete_old_task_runs() -> None:
    """No task run is kept here, so there is nothing to delete."""


async def report() -> Report:
    """Return how the mechanism fares: it has nothing that could be down."""
    return Report()

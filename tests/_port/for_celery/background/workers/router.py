"""Routes that enqueue them."""

from fastapi import APIRouter

from app.background import BackgroundTasksDep

from . import tasks

router = APIRouter(prefix="/workers")


@router.post("/elsewhere/{line}", status_code=202)
async def elsewhere(line: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that has a queue of its own."""
    return background_tasks.add_task(tasks.elsewhere, line)


@router.post("/endless", status_code=202)
async def endless(background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a `def` task that outlasts its timeout."""
    return background_tasks.add_task(tasks.endless)

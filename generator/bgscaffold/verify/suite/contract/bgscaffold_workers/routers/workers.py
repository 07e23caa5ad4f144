"""Routes that enqueue the tasks of this domain."""

# mypy: disable-error-code="import-not-found,untyped-decorator,no-any-return"

from fastapi import APIRouter

from ...background import BackgroundTasksDep
from ..tasks import workers

router = APIRouter(prefix="/bgscaffold-workers")


@router.post("/elsewhere/{line}", status_code=202)
async def elsewhere(line: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that has a queue of its own."""
    return background_tasks.add_task(workers.elsewhere, line)


@router.post("/endless", status_code=202)
async def endless(background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a `def` task that exceeds its timeout."""
    return background_tasks.add_task(workers.endless)

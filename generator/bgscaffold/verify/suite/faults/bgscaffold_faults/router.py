"""Routes of the domain `faults`."""

# mypy: disable-error-code="import-not-found,untyped-decorator"

from fastapi import APIRouter

from ..background import BackgroundTasksDep
from . import tasks

router = APIRouter(prefix="/bgscaffold-faults")
KINDS = {
    "instant": tasks.instant,
    "slow": tasks.slow,
    "slow_async": tasks.slow_async,
    "leave": tasks.leave,
    "never_end": tasks.never_end,
    "interrupted": tasks.interrupted,
    "stubborn": tasks.stubborn,
}


@router.post("/{kind}/{name}", status_code=202)
async def one(
    kind: str, name: str, seconds: float, background_tasks: BackgroundTasksDep
) -> str:
    """Enqueue one task."""
    task_id: str = background_tasks.add_task(KINDS[kind], name, seconds)
    return task_id


@router.post("/{name}/times/{count}", status_code=202)
def many(name: str, count: int, background_tasks: BackgroundTasksDep) -> int:
    """Enqueue many tasks in one transaction."""
    for n in range(count):
        background_tasks.add_task(tasks.instant, f"{name}.{n}", 0)
    return count

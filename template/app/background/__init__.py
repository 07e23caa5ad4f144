"""Background tasks: the door. Routes and tasks import from here, and from nowhere below."""

from app.background.backend import delete_old_task_runs, progress, report, router
from app.background.door import BackgroundTasks, BackgroundTasksDep, background_tasks
from app.background.schedule import lifespan
from app.background.task import EnqueueError, task
from app.monitoring import Failure, on_failure

__all__ = [
    "BackgroundTasks",
    "BackgroundTasksDep",
    "EnqueueError",
    "Failure",
    "background_tasks",
    "delete_old_task_runs",
    "lifespan",
    "on_failure",
    "progress",
    "report",
    "router",
    "task",
]

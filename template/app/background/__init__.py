"""Background tasks: the door. Routes and tasks import from here, and from nowhere below."""

from app.background.backend import lifespan, progress, report, router
from app.background.door import BackgroundTasks, BackgroundTasksDep, background_tasks
from app.background.task import EnqueueError, task
from app.monitoring import Failure, on_failure

__all__ = [
    "BackgroundTasks",
    "BackgroundTasksDep",
    "EnqueueError",
    "Failure",
    "background_tasks",
    "lifespan",
    "on_failure",
    "progress",
    "report",
    "router",
    "task",
]

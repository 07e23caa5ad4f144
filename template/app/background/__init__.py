"""Background tasks: the door. Routes and tasks import from here, and from nowhere below."""

from app.background.backend import lifespan, router
from app.background.door import BackgroundTasks, BackgroundTasksDep, background_tasks
from app.background.task import EnqueueError, task

__all__ = [
    "BackgroundTasks",
    "BackgroundTasksDep",
    "EnqueueError",
    "background_tasks",
    "lifespan",
    "router",
    "task",
]

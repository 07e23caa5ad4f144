"""Background tasks for FastAPI: what defines a task, and what an application configures.

`app/background.py` makes one `Background` with the backend of its choice. Domain
packages import `task` from here, and `BackgroundTasksDep` from `app.background`.
"""

from afterward.requirements import explain

try:
    from afterward import settings
    from afterward.background import Background
    from afterward.enqueue import BackgroundTasks
    from afterward.errors import EnqueueError, StartupError
    from afterward.observability.attempts import Failure, on_failure
    from afterward.progress import progress
    from afterward.tasks import task
except ModuleNotFoundError as error:
    raise explain(error) from None

__version__ = "0.1.0"

__all__ = [
    "Background",
    "BackgroundTasks",
    "EnqueueError",
    "Failure",
    "StartupError",
    "on_failure",
    "progress",
    "settings",
    "task",
]

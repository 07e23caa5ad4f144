"""Pattern safe: tasks run in the web process, from an outbox in the database.

Promises: a task accepted with 202 is never lost. It is enqueued in the request's own
transaction. After a crash, another process resumes it when its lease has ended. A failing
task is retried with backoff and jitter, and then dead, with its traceback in its row. Its
status can be queried. On SIGTERM, a task finishes within the grace period, or runs again
later: at once if it is `async def`. A thread cannot be stopped, so a `def` task keeps its
lease until it ends, or until this process ends.

Does not promise: exactly once. A task may run again after a crash, so it must be
idempotent. Tasks run on one machine. For several machines, use celery.

`bgscaffold promote` changes this file. `afterward/backends/safe.py` is the backend.
"""

from typing import Annotated

from afterward import Background, BackgroundTasks
from afterward.backends.safe import Safe
from app.database import SessionDep, engine, prepare, sync_engine

backend = Safe()
background = Background(
    backend,
    session=SessionDep,
    engine=engine,
    sync_engine=sync_engine,
    prepare=prepare,
)
background_tasks = background.tasks
BackgroundTasksDep = Annotated[BackgroundTasks, background.per_request]

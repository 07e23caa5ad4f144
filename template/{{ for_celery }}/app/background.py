"""Pattern celery: Celery workers run the tasks, from an outbox in the database.

Promises: a task accepted with 202 is never lost, whatever crashes: API, worker or broker.
It is enqueued in the request's own transaction, and delivered when the broker is back.
After a crash, another worker resumes it when its lease has ended. A failing task is
retried with backoff and jitter, and then dead, with its traceback in its row. Its status
can be queried.

Does not promise: exactly once. A task may run again after a crash, so it must be
idempotent. A worker may start a task as soon as its row is committed, possibly before the
response is sent.

`bgscaffold promote` changes this file. `afterward/backends/celery_.py` is the backend.
"""

from typing import Annotated

from afterward import Background, BackgroundTasks
from afterward.backends.celery_ import Celery
from app.database import SessionDep, engine, prepare, sync_engine

backend = Celery()
background = Background(
    backend,
    session=SessionDep,
    engine=engine,
    sync_engine=sync_engine,
    prepare=prepare,
)
background_tasks = background.tasks
BackgroundTasksDep = Annotated[BackgroundTasks, background.per_request]
celery_app = backend.app  # celery --app app.background worker

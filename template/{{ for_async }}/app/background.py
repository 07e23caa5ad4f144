"""Pattern async: the event loop runs the tasks of all requests, concurrent and bounded.

Promises: at most TASK_CONCURRENCY tasks run at a time, and the others wait. A failing
task is logged and stops no other. A wrong argument fails the request. On SIGTERM, tasks
finish within the grace period, and those that are cut off are logged by name.

Does not promise: anything after a crash. A task exists in this process only, and is lost
with it. There are no retries and no status.

`bgscaffold promote` changes this file. `afterward/backends/async_.py` is the backend.
"""

from typing import Annotated

from afterward import Background, BackgroundTasks
from afterward.backends.async_ import Async
from app.database import SessionDep, engine, prepare, sync_engine

backend = Async()
background = Background(
    backend,
    session=SessionDep,
    engine=engine,
    sync_engine=sync_engine,
    prepare=prepare,
)
background_tasks = background.tasks
BackgroundTasksDep = Annotated[BackgroundTasks, background.per_request]

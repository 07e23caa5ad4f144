"""Pattern simple: FastAPI's own `BackgroundTasks` runs the tasks after the response.

Promises: the tasks of a request run one after another, after its response. A failing
task is logged and does not stop the next one. A wrong argument fails the request. On
SIGTERM, tasks may finish within the grace period.

Does not promise: anything after a crash. A task exists in this process only, and is lost
with it. There are no retries and no status.

`bgscaffold promote` changes this file. `afterward/backends/simple.py` is the backend.
"""

from typing import Annotated

from afterward import Background, BackgroundTasks
from afterward.backends.simple import Simple
from app.database import SessionDep, engine, prepare, sync_engine

backend = Simple()
background = Background(
    backend,
    session=SessionDep,
    engine=engine,
    sync_engine=sync_engine,
    prepare=prepare,
)
background_tasks = background.tasks
BackgroundTasksDep = Annotated[BackgroundTasks, background.per_request]

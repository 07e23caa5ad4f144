"""The door between routes and tasks: what is added here is enqueued when its unit of work succeeds.

    handler -> flush -> commit -> response -> run

A handler that raises enqueues nothing, and neither does a commit that fails.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ParamSpec, Self, Unpack
from uuid import NAMESPACE_URL, uuid5

import fastapi
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app import database
from app.background.backend import backend
from app.background.task import CallOptions, EnqueueError, TaskRun, bind, refuse_unknown

P = ParamSpec("P")


class BackgroundTasks:
    """Collects task runs and enqueues them all when its block ends well, none when it raises."""

    def __init__(self, session: AsyncSession | Session | None = None) -> None:
        self._session = session
        self._runs: list[TaskRun] = []
        self._closed = False

    def add_task(self, func: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Add a call of a task, and return its task_id.

        Raises:
            EnqueueError: The call is wrong, or the block has already ended.
        """
        return self._add(bind(func, args, kwargs))

    def options(self, **options: Unpack[CallOptions]) -> "WithOptions":
        """Return what adds calls with these options: key, run_at, priority.

        Raises:
            EnqueueError: The pattern cannot honour one of them.
        """
        refuse_unknown("options()", options, CallOptions)
        asked = {name for name, value in options.items() if value is not None}
        if lacking := asked - backend.supports:
            raise EnqueueError(
                f"options({', '.join(sorted(lacking))}=...) is more than this project's pattern can"
                " do. Leave it out, or run: bgscaffold promote safe"
            )
        if (priority := options.get("priority", "normal")) not in ("high", "normal", "low"):
            raise EnqueueError(f"priority={priority!r} is not one of: high, normal, low.")
        if (run_at := options.get("run_at")) and run_at.tzinfo is None:
            raise EnqueueError(f"run_at={run_at!r} has no time zone: use datetime.now(UTC) + ...")
        return WithOptions(self, options)

    def _add(self, run: TaskRun) -> str:
        if self._closed:
            raise EnqueueError(
                "add_task() after the request's tasks were enqueued, for instance inside a stream."
                " Use: async with background_tasks() as tasks: tasks.add_task(...)"
            )
        self._runs.append(run)
        return run.task_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed = True
        if kind is not None or not self._runs:
            return
        if self._session is None:
            async with AsyncSession(database.engine()) as session, session.begin():
                await session.run_sync(self._join)
        elif isinstance(self._session, AsyncSession):
            await self._session.run_sync(self._join)
        else:
            self._join(self._session)

    def __enter__(self) -> Self:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self
        raise RuntimeError("In async code write: async with background_tasks() as tasks: ...")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed = True
        if kind is not None or not self._runs:
            return
        if isinstance(self._session, Session):
            self._join(self._session)
        else:
            with Session(database.sync_engine()) as session, session.begin():
                self._join(session)

    def _join(self, session: Session) -> None:
        backend.insert(session, self._runs)
        database.when_committed(session, lambda: backend.start(self._runs))


@dataclass(frozen=True)
class WithOptions:
    """Adds calls with options to a `BackgroundTasks`."""

    tasks: BackgroundTasks
    options: CallOptions

    def add_task(self, func: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Add a call, as `BackgroundTasks.add_task` does."""
        run = replace(bind(func, args, kwargs), options=self.options)
        if key := self.options.get("key"):
            run = replace(run, task_id=id_of_key(key, run.task.name))
        return self.tasks._add(run)


class _RequestTasks(BackgroundTasks):
    """The same inside a request, where the tasks start when the response has been sent."""

    def __init__(
        self,
        session: AsyncSession,
        request: fastapi.Request,
        after_response: fastapi.BackgroundTasks,
    ) -> None:
        super().__init__(session)
        self._request = request
        self._after_response = after_response
        self._key = request.headers.get("idempotency-key") if "key" in backend.supports else None

    def _add(self, run: TaskRun) -> str:
        if self._key and "key" not in run.options:
            caller = self._request.headers.get("authorization")
            route = f"{self._request.method} {self._request.url.path}"
            task_id = id_of_key(self._key, run.task.name, caller, route, len(self._runs))
            run = replace(run, task_id=task_id, options={**run.options, "key": self._key})
        return super()._add(run)

    def _join(self, session: Session) -> None:
        backend.insert(session, self._runs, in_request=True)
        self._after_response.add_task(backend.after_response, self._runs)


def id_of_key(key: str, *scope: Any) -> str:
    """Return the task_id that an idempotency key stands for, the same in every process."""
    return str(uuid5(NAMESPACE_URL, json.dumps([key, *scope])))


async def request_tasks(
    request: fastapi.Request, session: database.SessionDep, after_response: fastapi.BackgroundTasks
) -> AsyncIterator[BackgroundTasks]:
    """Yield the request's `BackgroundTasks`; it ends before the session commits."""
    async with _RequestTasks(session, request, after_response) as tasks:
        yield tasks


BackgroundTasksDep = Annotated[BackgroundTasks, fastapi.Depends(request_tasks, scope="function")]


def background_tasks(session: AsyncSession | Session | None = None) -> BackgroundTasks:
    """Open the door outside a request: in a task, at the end of a stream, in a WebSocket, a script.

    Use it with `async with` or, in `def` code, with `with`. The tasks start when the block ends or,
    with a session of your own, when you commit it.
    """
    return BackgroundTasks(session)

"""The routes below /tasks: the status by its id, the rest for administrators."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, BaseModel, TypeAdapter, computed_field

from afterward.database import Database
from afterward.outbox import queries
from afterward.settings import get_settings
from afterward.web.admin import IsAdminDep, require_admin

State = Literal["pending", "running", "retrying", "succeeded", "dead", "cancelled"]
NamePattern = Query(pattern=r"^[a-z0-9_.]+$")
PageSize = Query(ge=1, le=1000)
_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID])


class TaskStatus(BaseModel, from_attributes=True):
    """The status of a task run."""

    task_id: UUID
    name: str
    state: State
    attempts: int
    progress: float | None
    progress_note: str | None
    cancel_requested: bool
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot decorate a property
    @property
    def duration(self) -> float | None:
        """Seconds from the first start to the end."""
        if self.started_at and self.finished_at:
            return (self.finished_at - self.started_at).total_seconds()
        return None


class TaskDetails(TaskStatus):
    """The status with what only administrators may see."""

    arguments: Any
    error: str | None
    traceback: str | None


class TaskPage(BaseModel):
    """Task runs, the newest first. `cursor` asks for the next page."""

    tasks: list[TaskDetails]
    cursor: str | None


StatusModel = TypeVar("StatusModel", bound=TaskStatus)


class TaskRoutes:
    """The routes of one application."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_status(
        self, task_id: UUID, admin: IsAdminDep
    ) -> TaskDetails | TaskStatus:
        """Return the status of a task run; 404 if no run has this id."""
        found = await self._database.execute_async(queries.get_run(str(task_id)))
        return _as_model(found, task_id, TaskDetails if admin else TaskStatus)

    async def stream_status(
        self, task_id: UUID, admin: IsAdminDep
    ) -> AsyncIterator[ServerSentEvent]:
        """Stream the status at each change, until the run has ended."""
        status = await self.get_status(task_id, admin)
        yield ServerSentEvent(event=status.state, data=status)
        while status.finished_at is None:
            await asyncio.sleep(get_settings().task_sweep)
            before, status = status, await self.get_status(task_id, admin)
            if status != before:
                yield ServerSentEvent(event=status.state, data=status)

    async def list_tasks(
        self,
        state: State | None = None,
        name: Annotated[str | None, NamePattern] = None,
        limit: Annotated[int, PageSize] = 100,
        cursor: str | None = None,
    ) -> TaskPage:
        """List task runs, the newest first."""
        statement = queries.list_runs(limit, state, name, _read_cursor(cursor))
        found = await self._database.execute_async(statement)
        tasks = [_as_model([each], each.id, TaskDetails) for each in found]
        is_full = len(tasks) == limit
        return TaskPage(tasks=tasks, cursor=_cursor(tasks[-1]) if is_full else None)

    async def retry(self, task_id: UUID) -> TaskDetails:
        """Let a dead or cancelled task run start again, with all its retries."""
        statement = queries.retry(str(task_id))
        return await self._change(statement, task_id, "dead or cancelled")

    async def cancel(self, task_id: UUID) -> TaskDetails:
        """Cancel a waiting run now; ask the process of a running one to cancel it."""
        return await self._change(queries.cancel(str(task_id)), task_id, "open")

    async def _change(
        self, statement: sa.Update, task_id: UUID, needed: str
    ) -> TaskDetails:
        changed = await self._database.execute_async(statement)
        if not changed:
            state = (await self.get_status(task_id, admin=False)).state
            raise HTTPException(
                409,
                f"Task run {task_id} is {state}. This needs a run that is {needed}.",
            )
        return _as_model(changed, task_id, TaskDetails)


def create_router(database: Database) -> APIRouter:
    """Return the routes below /tasks."""
    routes = TaskRoutes(database)
    router = APIRouter(prefix="/tasks", tags=["tasks"])
    admin_only = [Depends(require_admin)]
    router.add_api_route("/{task_id}", routes.get_status)
    # Its own dependency, so that an unknown id is a 404 and not a stream.
    router.add_api_route(
        "/{task_id}/events",
        routes.stream_status,
        response_class=EventSourceResponse,
        dependencies=[Depends(routes.get_status)],
    )
    router.add_api_route("", routes.list_tasks, dependencies=admin_only)
    for action in (routes.retry, routes.cancel):
        router.add_api_route(
            f"/{{task_id}}/{action.__name__}",
            action,
            methods=["POST"],
            dependencies=admin_only,
        )
    return router


def _as_model(
    found: Sequence[sa.Row[Any]], task_id: UUID, model: type[StatusModel]
) -> StatusModel:
    if not found:
        raise HTTPException(404, f"There is no task run {task_id}.")
    values = {**found[0]._mapping, "task_id": found[0].id}
    with suppress(ValueError):  # arguments that are not JSON are shown as text
        values["arguments"] = json.loads(found[0].arguments)
    return model.model_validate(values)


def _cursor(last: TaskDetails) -> str:
    position = [last.created_at.isoformat(), str(last.task_id)]
    return urlsafe_b64encode(json.dumps(position).encode()).decode()


def _read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    try:
        created_at, task_id = _CURSOR.validate_json(urlsafe_b64decode(cursor))
        return created_at.astimezone(UTC), str(task_id)
    except (ValueError, OverflowError) as error:
        raise HTTPException(
            422, f"cursor={cursor!r} is not a cursor of a page."
        ) from error

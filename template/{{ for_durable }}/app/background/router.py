"""The task runs over HTTP: the status for whoever has the id, all else for administrators."""

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

from app import database
from app.admin import IsAdmin, demand_admin
from app.background import upkeep
from app.background.settings import settings

router = APIRouter(prefix="/tasks", tags=["tasks"])
_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID])
State = Literal["pending", "running", "retrying", "succeeded", "dead", "cancelled"]


class TaskStatus(BaseModel, from_attributes=True):
    """Where a task run stands."""

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
    """The same with what only administrators may see."""

    arguments: Any
    error: str | None
    traceback: str | None


Shown = TypeVar("Shown", bound=TaskStatus)


class TaskPage(BaseModel):
    """Task runs, the newest first; `cursor` asks for the next page."""

    tasks: list[TaskDetails]
    cursor: str | None


@router.get("/{task_id}")
async def task_status(task_id: UUID, admin: IsAdmin) -> TaskDetails | TaskStatus:
    """Return the state of a task run; 404 when there is none with this id."""
    found = await database.execute_async(upkeep.one(str(task_id)))
    return _shown(found, task_id, TaskDetails if admin else TaskStatus)


@router.get("/{task_id}/events", response_class=EventSourceResponse)
async def task_events(
    status: Annotated[TaskStatus, Depends(task_status)], admin: IsAdmin
) -> AsyncIterator[ServerSentEvent]:
    """Stream the state of a task run, at each change, until it has ended (server-sent events)."""
    yield ServerSentEvent(event=status.state, data=status)
    while status.finished_at is None:
        await asyncio.sleep(settings.task_sweep)
        before, status = status, await task_status(status.task_id, admin)
        if status != before:
            yield ServerSentEvent(event=status.state, data=status)


@router.get("", dependencies=[Depends(demand_admin)])
async def task_list(
    state: State | None = None,
    name: Annotated[str | None, Query(pattern=r"^[a-z0-9_.]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> TaskPage:
    """List task runs, the newest first."""
    found = await database.execute_async(upkeep.page(limit, state, name, _before(cursor)))
    tasks = [_shown([one], one.id, TaskDetails) for one in found]
    last = [[each.created_at.isoformat(), str(each.task_id)] for each in tasks[limit - 1 :]]
    cursor = urlsafe_b64encode(json.dumps(last[0]).encode()).decode() if last else None
    return TaskPage(tasks=tasks, cursor=cursor)


@router.post("/{task_id}/retry", dependencies=[Depends(demand_admin)])
async def retry_task(task_id: UUID) -> TaskDetails:
    """Let a dead or cancelled task run begin anew, with all its retries."""
    return await _change(upkeep.retry(str(task_id)), task_id, "that is dead or cancelled")


@router.post("/{task_id}/cancel", dependencies=[Depends(demand_admin)])
async def cancel_task(task_id: UUID) -> TaskDetails:
    """Cancel what waits at once; ask the process that runs it to end the rest."""
    return await _change(upkeep.cancel(str(task_id)), task_id, "that is open")


async def _change(statement: sa.Update, task_id: UUID, needed: str) -> TaskDetails:
    changed = await database.execute_async(statement)
    if not changed:
        state = (await task_status(task_id, admin=False)).state
        raise HTTPException(409, f"Task run {task_id} is {state}; this needs one {needed}.")
    return _shown(changed, task_id, TaskDetails)


def _shown(found: Sequence[sa.Row[Any]], task_id: UUID, kind: type[Shown]) -> Shown:
    if not found:
        raise HTTPException(404, f"There is no task run {task_id}.")
    row = {**found[0]._mapping, "task_id": found[0].id}
    with suppress(ValueError):  # what is no JSON is shown as it is
        row["arguments"] = json.loads(found[0].arguments)
    return kind.model_validate(row)


def _before(cursor: str | None) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    try:
        created_at, task_id = _CURSOR.validate_json(urlsafe_b64decode(cursor))
        return created_at.astimezone(UTC), str(task_id)
    except (ValueError, OverflowError) as error:
        raise HTTPException(422, f"cursor={cursor!r} is not one that a page has given.") from error

"""The status of a task run, for whoever has its id."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, computed_field

from app.background.table import task_runs
from app.database import SessionDep

router = APIRouter(prefix="/tasks", tags=["tasks"])


class TaskStatus(BaseModel, from_attributes=True):
    """Where a task run stands. Its arguments and errors are not shown here."""

    task_id: UUID
    name: str
    state: Literal["pending", "running", "retrying", "succeeded", "dead", "cancelled"]
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot decorate a property
    @property
    def duration(self) -> float | None:
        """Seconds from the first start to the end."""
        if self.started_at and self.finished_at:
            return (self.finished_at - self.started_at).total_seconds()
        return None


@router.get("/{task_id}")
async def task_status(task_id: UUID, session: SessionDep) -> TaskStatus:
    """Return the state of a task run; 404 when there is none with this id."""
    shown = [task_runs.c.id.label("task_id"), *(task_runs.c[name] for name in _COLUMNS)]
    found = (await session.execute(sa.select(*shown).where(task_runs.c.id == str(task_id)))).first()
    if found is None:
        raise HTTPException(404, f"There is no task run {task_id}.")
    return TaskStatus.model_validate(found)


_COLUMNS = ("name", "state", "attempts", "created_at", "started_at", "finished_at")

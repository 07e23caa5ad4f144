"""Routes of the domain `actions`."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from app.actions.tasks import write_log
from app.background import BackgroundTasksDep

router = APIRouter(tags=["actions"])


class Action(BaseModel):
    """What a user did: one line of printable text."""

    action_name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class Accepted(BaseModel):
    """The work is accepted. It is done after the response."""

    task_id: str


@router.post("/actions", status_code=202)
def record_action(body: Action, background_tasks: BackgroundTasksDep) -> Accepted:
    """Accept an action. A task writes it to the log."""
    return Accepted(task_id=background_tasks.add_task(write_log, body.action_name))

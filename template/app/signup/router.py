"""Routes of the domain `signup`."""

from fastapi import APIRouter
from pydantic import BaseModel, EmailStr

from app.background import BackgroundTasksDep
from app.signup.tasks import send_welcome

router = APIRouter(tags=["signup"])


class Signup(BaseModel):
    """A new user."""

    email: EmailStr


class Accepted(BaseModel):
    """The work is accepted. It is done after the response."""

    task_id: str


@router.post("/signup", status_code=202)
async def signup(body: Signup, background_tasks: BackgroundTasksDep) -> Accepted:
    """Accept a sign-up. A task sends the welcome mail."""
    return Accepted(task_id=background_tasks.add_task(send_welcome, email=body.email))

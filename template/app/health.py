"""Health: whether to restart this process (live), and whether to send it requests (ready)."""

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import database

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """The answer of a probe."""

    status: str


@router.get("/live")
async def live() -> Health:
    """Answer as long as the event loop turns. Touches nothing else."""
    return Health(status="ok")


@router.get("/ready", responses={503: {"model": Health}})
async def ready(response: Response) -> Health:
    """Answer 503 while the database cannot be reached."""
    try:
        async with database.engine().connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        response.status_code = 503
        return Health(status="database down")
    return Health(status="ok")

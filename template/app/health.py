"""For operators: restart this process (live)? Send it requests (ready)? How does it fare (metrics)?"""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import background, database, monitoring

router = APIRouter(tags=["health"])
PATIENCE = 2.0  # seconds for a database that is there and does not answer


class Health(BaseModel):
    """The answer of a probe; `degraded` names what is down though requests can be served."""

    status: str
    degraded: list[str] = []


@router.get("/health/live")
async def live() -> Health:
    """Answer as long as the event loop turns. Touches nothing else."""
    return Health(status="ok")


@router.get("/health/ready", responses={503: {"model": Health}})
async def ready(response: Response) -> Health:
    """Answer 503 while the database cannot be reached, and name what else is down."""
    try:
        async with asyncio.timeout(PATIENCE):
            await database.execute_async(text("SELECT 1"))
            return Health(status="ok", degraded=(await background.report()).degraded)
    except (SQLAlchemyError, OSError):  # TimeoutError is one
        response.status_code = 503
        return Health(status="database down", degraded=["database"])


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics() -> str:
    """Show the metrics of this server, for Prometheus."""
    try:
        report = await background.report()
    except (SQLAlchemyError, OSError):
        report = monitoring.Report()
    return monitoring.exposition(report)

"""Health probes and metrics, for operators."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from afterward.backend import BackendStatus
from afterward.observability.metrics import get_metrics

if TYPE_CHECKING:
    from afterward.backend import Application

DATABASE_TIMEOUT = 2.0  # seconds


class Health(BaseModel):
    """The answer of a probe. `degraded` names what is down while requests are served."""

    status: str
    degraded: list[str] = []


class HealthRoutes:
    """The probes of one application."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def live(self) -> Health:
        """Answer as long as the event loop runs. Touches nothing else."""
        return Health(status="ok")

    async def ready(self, response: Response) -> Health:
        """Answer 503 while the database is down, and name what else is degraded."""
        try:
            status = await self._status()
        except Exception as error:
            if not is_database_error(error):
                raise
            response.status_code = 503
            return Health(status="database down", degraded=["database"])
        return Health(status="ok", degraded=status.degraded)

    async def metrics(self) -> str:
        """Return the metrics of this server in Prometheus's text format."""
        try:
            status = await self._status()
        except Exception as error:
            if not is_database_error(error):
                raise
            status = BackendStatus()
        return get_metrics().exposition(status)

    async def _status(self) -> BackendStatus:
        async with asyncio.timeout(DATABASE_TIMEOUT):
            if self._application.has_database:
                from sqlalchemy import text

                await self._application.database.execute_async(text("SELECT 1"))
            return await self._application.backend.status()


def is_database_error(error: Exception) -> bool:
    """Return whether an error says that the database cannot be used now."""
    if isinstance(error, OSError):  # TimeoutError is one
        return True
    return any(type_.__module__ == "sqlalchemy.exc" for type_ in type(error).__mro__)


def create_router(application: Application) -> APIRouter:
    """Return the routes /health/live, /health/ready and /metrics."""
    routes = HealthRoutes(application)
    router = APIRouter(tags=["health"])
    router.add_api_route("/health/live", routes.live, response_model=Health)
    router.add_api_route(
        "/health/ready",
        routes.ready,
        response_model=Health,
        responses={503: {"model": Health}},
    )
    router.add_api_route("/metrics", routes.metrics, response_class=PlainTextResponse)
    return router

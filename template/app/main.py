"""The API: `uv run poe dev` starts it, with whatever else the project's pattern needs."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import background, database, domains, health, logs, problems
from app.refusals import told_briefly


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Prepare the database, run background tasks while the API serves, drain them at the end."""
    with told_briefly():
        await database.prepare()
        async with background.lifespan():
            # What has been imported stays. To look through it for garbage, again and again, would
            # hold up a request for a tenth of a second each time.
            gc.freeze()
            yield


def create_app() -> FastAPI:
    """Build the application from the domains that lie in `app/`."""
    logs.configure()
    app = FastAPI(lifespan=lifespan, responses=problems.RESPONSES)
    for router in (health.router, background.router, *domains.import_routers()):
        app.include_router(router)
    problems.install(app)
    return app


app = create_app()

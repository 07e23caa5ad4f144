"""Schedules: this project has none, but for one thing: old task runs are deleted every hour."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.background import backend

log = logging.getLogger(__name__)


async def _clean_every_hour() -> None:
    while True:
        try:
            await asyncio.to_thread(backend.delete_old_task_runs)
        except Exception:
            log.exception("old task runs cannot be deleted; trying again in an hour")
        await asyncio.sleep(3600)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Run tasks as long as the block lasts, and delete what is left of old ones."""
    async with backend.lifespan():
        cleaning = asyncio.create_task(_clean_every_hour())
        try:
            yield
        finally:
            cleaning.cancel()

"""The backend of the pattern celery."""

import asyncio
import logging

logger = logging.getLogger(__name__)


async def start() -> None:
    """Start the backend."""
    await asyncio.sleep(0)
    logger.info("celery: started")


async def stop() -> None:
    """Stop the backend: another worker resumes them."""
    await asyncio.sleep(0)
    logger.info("celery: stopped")

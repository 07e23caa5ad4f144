"""The backend of the pattern async."""

import asyncio
import logging

logger = logging.getLogger(__name__)


async def start() -> None:
    """Start the backend."""
    await asyncio.sleep(0)
    logger.info("async: started")


async def stop() -> None:
    """Stop the backend: a crash loses what is open."""
    await asyncio.sleep(0)
    logger.info("async: stopped")

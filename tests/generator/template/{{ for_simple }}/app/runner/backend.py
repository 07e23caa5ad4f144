"""The backend of the pattern simple."""

import asyncio
import logging

logger = logging.getLogger(__name__)


async def start() -> None:
    """Start the backend."""
    await asyncio.sleep(0)
    logger.info("simple: started")


async def stop() -> None:
    """Stop the backend: a crash loses them."""
    await asyncio.sleep(0)
    logger.info("simple: stopped")

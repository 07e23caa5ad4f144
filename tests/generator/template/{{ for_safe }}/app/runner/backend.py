"""The backend of the pattern safe."""

import asyncio
import logging

logger = logging.getLogger(__name__)


async def start() -> None:
    """Start the backend."""
    await asyncio.sleep(0)
    logger.info("safe: started")


async def stop() -> None:
    """Stop the backend: a crash resumes them."""
    await asyncio.sleep(0)
    logger.info("safe: stopped")

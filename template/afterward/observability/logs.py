"""Logs: one JSON object per line in production, readable text in development."""

import logging

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from afterward.settings import get_settings

_UVICORN = ("uvicorn", "uvicorn.access", "uvicorn.error")


def configure() -> None:
    """Send every log record of this process to stderr, in the format of LOG_FORMAT."""
    settings = get_settings()
    default = "json" if settings.environment == "production" else "text"
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(settings.log_format or default))
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
    for name in _UVICORN:  # these have handlers of their own
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it logs every look


def _formatter(kind: str) -> logging.Formatter:
    if kind == "text":
        return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger", "asctime": "time"},
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # a duplicate of uvicorn's
    )

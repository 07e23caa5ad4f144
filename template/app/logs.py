"""Logs: a line of JSON each in production, to be searched; readable text in development."""

import logging

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from app.settings import settings

_SERVERS = ("uvicorn", "uvicorn.access", "uvicorn.error")  # they come with handlers of their own


def configure() -> None:
    """Send every log record of this process to stderr, in the format that LOG_FORMAT says."""
    default = "json" if settings.environment == "production" else "text"
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(settings.log_format or default))
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
    for name in _SERVERS:
        server = logging.getLogger(name)
        server.handlers.clear()
        server.propagate = True


def _formatter(kind: str) -> logging.Formatter:
    if kind == "text":
        return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    names = {"levelname": "level", "name": "logger", "asctime": "time"}
    line = "%(asctime)s %(levelname)s %(name)s %(message)s"
    twice = "color_message"  # which uvicorn adds for its own handlers
    return JsonFormatter(line, rename_fields=names, reserved_attrs=[*RESERVED_ATTRS, twice])

"""Schedules in the API: none, for beat is a process of its own. See `beat.py`."""

from app.background.backend import lifespan

__all__ = ["lifespan"]

"""Schedules: this project has none, so nothing runs that is not enqueued."""

from app.background.backend import lifespan

__all__ = ["lifespan"]

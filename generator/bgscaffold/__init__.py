"""FastAPI projects with reliable background tasks."""

__version__ = "0.1.0"

"""Makes FastAPI projects whose background tasks are right from the start."""

__version__ = "0.1.0"

"""Celery: the application, the worker's tasks, the publisher and the shutdown."""

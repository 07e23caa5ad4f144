"""The four backends: `simple`, `async_`, `safe` and `celery_`."""

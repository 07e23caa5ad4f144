"""Settings of the pattern celery."""

from pydantic_settings import BaseSettings


class BackgroundSettings(BaseSettings):
    """Read from the environment."""

    task_concurrency: int = 0  # processes of a worker
    shutdown_grace: float = 25


settings = BackgroundSettings()

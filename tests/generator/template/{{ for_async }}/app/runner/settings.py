"""Settings of the pattern async."""

from pydantic_settings import BaseSettings


class BackgroundSettings(BaseSettings):
    """Read from the environment."""

    task_concurrency: int = 20  # tasks at a time
    shutdown_grace: float = 25


settings = BackgroundSettings()

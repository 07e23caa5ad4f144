"""Settings of the pattern simple."""

from pydantic_settings import BaseSettings


class BackgroundSettings(BaseSettings):
    """Read from the environment."""

    task_concurrency: int = 10  # threads for `def` tasks
    shutdown_grace: float = 25


settings = BackgroundSettings()

"""Settings of the pattern safe."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`. Times are in seconds unless they say otherwise."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    task_concurrency: int = Field(default=20, ge=1)  # tasks at a time in one process
    task_retries: int = Field(default=3, ge=0)  # for tasks that declare none
    task_backoff: float = Field(default=1, gt=0)  # before the first retry; doubles with each
    task_lease: float = Field(default=30, gt=0)  # how long after a crash a task is resumed
    task_sweep: float = Field(default=1, gt=0)  # between two looks at what fell due unannounced
    task_retention: float = Field(default=30, gt=0)  # days that succeeded task runs are kept
    shutdown_grace: float = Field(default=25, ge=0)  # keep it below the platform's own limit


settings = BackgroundSettings()

"""Settings of the pattern safe."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.refusals import told_briefly
from app.settings import FROM_ENVIRONMENT, Seconds


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`. Times are in seconds unless they say otherwise."""

    model_config = FROM_ENVIRONMENT

    task_concurrency: int = Field(default=20, ge=1)  # tasks at a time in one process
    task_retries: int = Field(default=3, ge=0, le=1000)  # for tasks that declare none
    task_backoff: Seconds = 1  # before the first retry; doubles with each
    task_lease: Seconds = 30  # how long after a crash a task is resumed
    # Between two looks at what fell due unannounced
    task_sweep: Seconds = Field(default=1, ge=0.01)
    task_retention: float = Field(default=30, gt=0, le=36500)  # days that succeeded ones are kept
    # In seconds; keep it below the limit of the platform itself
    shutdown_grace: float = Field(default=25, ge=0, le=86_400)


with told_briefly():
    settings = BackgroundSettings()

"""Settings of the pattern simple."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    task_concurrency: int = Field(default=10, ge=1)  # threads for `def` tasks
    shutdown_grace: float = Field(
        default=25, ge=0
    )  # seconds; keep it below the platform's own limit


settings = BackgroundSettings()

"""Settings of the pattern async."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    task_concurrency: int = Field(default=20, ge=1)  # tasks at a time
    shutdown_grace: float = Field(
        default=25, ge=0
    )  # seconds; keep it below the platform's own limit


settings = BackgroundSettings()

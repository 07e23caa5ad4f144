"""Settings of the pattern simple."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.refusals import told_briefly
from app.settings import FROM_ENVIRONMENT


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = FROM_ENVIRONMENT

    task_concurrency: int = Field(default=10, ge=1)  # threads for `def` tasks
    # In seconds; keep it below the limit of the platform itself
    shutdown_grace: float = Field(default=25, ge=0, le=86_400)


with told_briefly():
    settings = BackgroundSettings()

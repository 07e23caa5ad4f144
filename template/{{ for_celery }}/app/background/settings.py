"""Settings of the pattern celery."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.logs import RefusesToStart
from app.settings import settings as app_settings

EMBEDDED = "sqla+sqlite:///var/broker.db"


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`. Times are in seconds unless they say otherwise."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    # redis://host:6379/0 or amqp://user:password@host:5672// ; the default needs no server
    broker_url: str = EMBEDDED
    task_queue: str = "tasks"  # applications that share a broker need different ones
    task_concurrency: int | None = Field(
        default=None, ge=1
    )  # processes of a worker; None: one per core
    task_retries: int = Field(default=3, ge=0)  # for tasks that declare none
    task_backoff: float = Field(default=1, gt=0)  # before the first retry; doubles with each
    task_lease: float = Field(default=30, gt=0)  # how long after a crash a task is resumed
    task_sweep: float = Field(default=1, gt=0)  # between two looks at what fell due unannounced
    task_retention: float = Field(default=30, gt=0)  # days that succeeded task runs are kept
    shutdown_grace: float = Field(default=25, ge=0)  # keep it below the platform's own limit
    worker_metrics_port: int | None = None  # where the worker shows its metrics; None: nowhere
    publish_window: int = Field(default=1000, ge=1)  # messages that stand in the broker, unclaimed

    def refuse_embedded_broker_in_production(self) -> None:
        """Stop the start of API and worker: that broker is one file, polled by one machine.

        Raises:
            RefusesToStart: ENVIRONMENT is production and BROKER_URL is the default.
        """
        if app_settings.environment == "production" and self.broker_url.startswith("sqla+"):
            raise RefusesToStart(
                f"BROKER_URL is {self.broker_url!r}, the embedded broker for development. Set it to"
                " redis://... or amqp://..., or ENVIRONMENT=development, as `uv run poe dev` does."
            )


settings = BackgroundSettings()

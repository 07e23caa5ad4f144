"""Settings of the pattern celery."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from app.refusals import RefusesToStart, told_briefly
from app.settings import FROM_ENVIRONMENT, Seconds, is_address, shown
from app.settings import settings as app_settings

EMBEDDED = "sqla+sqlite:///var/broker.db"
REDIS = ("redis", "rediss", "redis+socket", "sentinel")
RABBITMQ = ("amqp", "amqps", "pyamqp")


class BackgroundSettings(BaseSettings):
    """Read from the environment and `.env`. Times are in seconds unless they say otherwise."""

    model_config = FROM_ENVIRONMENT

    # redis://host:6379/0 or amqp://user:password@host:5672// ; the default needs no server
    broker_url: str = EMBEDDED
    task_queue: str = "tasks"  # applications that share a broker need different ones
    # Processes of a worker; None: one per core
    task_concurrency: int | None = Field(default=None, ge=1)
    task_retries: int = Field(default=3, ge=0, le=1000)  # for tasks that declare none
    task_backoff: Seconds = 1  # before the first retry; doubles with each
    task_lease: Seconds = 30  # how long after a crash a task is resumed
    # Between two looks at what fell due unannounced
    task_sweep: Seconds = Field(default=1, ge=0.01)
    task_retention: float = Field(default=30, gt=0, le=36500)  # days that succeeded ones are kept
    # In seconds; keep it below the limit of the platform itself
    shutdown_grace: float = Field(default=25, ge=0, le=86_400)
    # Where the worker shows its metrics; None or 0: nowhere
    worker_metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    publish_window: int = Field(default=500, ge=1)  # messages that stand in the broker, unclaimed

    @field_validator("broker_url")
    @classmethod
    def _is_known(cls, url: str) -> str:
        # Several, with ";" between them: the next is taken when one is down
        if not all(is_address(each, *REDIS, *RABBITMQ, "sqla+sqlite") for each in url.split(";")):
            raise ValueError(f"{shown(url)} is not redis://HOST:PORT/0 or amqp://HOST:PORT//")
        return url

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


with told_briefly():
    settings = BackgroundSettings()

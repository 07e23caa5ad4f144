"""Settings of the package, read from the environment and `.env` when they are first used."""

import os
from datetime import timedelta
from functools import cache
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from afterward.errors import StartupError, without_traceback

EMBEDDED_BROKER = "sqla+sqlite:///var/broker.db"
BROKER_SCHEMES = (
    *("redis", "rediss", "redis+socket", "sentinel"),
    *("amqp", "amqps", "pyamqp"),
    "sqla+sqlite",
)
Seconds = Annotated[float, Field(gt=0, le=86_400)]
SettingsType = TypeVar("SettingsType", bound=BaseSettings)
FROM_ENVIRONMENT = SettingsConfigDict(
    env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
)


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of this name.

    Raises:
        ValueError: No time zone has this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: "Europe" is a folder of names
        raise ValueError(
            f"{name!r} is not a time zone. Use a name of the IANA database, such as UTC"
            " or Europe/Berlin."
        ) from None


def is_url(url: str, *schemes: str) -> bool:
    """Return whether a URL has one of these schemes, and a valid port if it names one."""
    try:
        return url.partition("://")[0] in schemes and urlsplit(url).port != 0
    except ValueError:
        return False


def without_secrets(url: str) -> str:
    """Return the part of a URL that cannot contain a password."""
    scheme, colon, _ = url.partition(":")
    return f"{scheme}:..." if colon else "The value"


class Settings(BaseSettings):
    """All settings. Times are in seconds unless the comment says otherwise."""

    model_config = FROM_ENVIRONMENT

    environment: Literal["production", "development"] = "production"
    # Empty: json in production, text in development
    log_format: Literal["json", "text"] | None = None
    # The bearer token of administrators. Empty: everybody in development, nobody else
    admin_token: SecretStr | None = None

    # Task runs at a time in one process. Empty: the default of the backend
    task_concurrency: int | None = Field(default=None, ge=1)
    # Time for running tasks at SIGTERM. Keep it below the platform's own limit
    shutdown_grace: float = Field(default=25, ge=0, le=86_400)

    # safe and celery
    task_retries: int = Field(default=3, ge=0, le=1000)  # of tasks that declare none
    task_backoff: Seconds = 1  # before the first retry; it doubles with each retry
    task_lease: Seconds = 30  # after a crash, a task run is resumed when this ends
    task_sweep: Seconds = Field(default=1, ge=0.01)  # between two looks for due rows
    task_retention: float = Field(default=30, gt=0, le=36_500)  # days

    # celery: redis://host:6379/0 or amqp://user:password@host:5672//
    broker_url: str = EMBEDDED_BROKER
    task_queue: str = "tasks"  # applications that share a broker need different ones
    publish_window: int = Field(default=500, ge=1)  # unclaimed messages in a queue
    # Port of the worker's metrics. Empty or 0: none
    worker_metrics_port: int | None = Field(default=None, ge=0, le=65_535)

    # Scheduled tasks: the time zone of those that declare none
    schedule_timezone: Annotated[
        str, AfterValidator(lambda name: time_zone(name).key)
    ] = "UTC"
    # How long after its start a missed period is still enqueued
    schedule_grace: float = Field(default=3600, ge=60, le=86_400)
    # Names of the tasks that this process schedules, with commas. Empty: all
    schedule_tasks: str | None = None

    @field_validator("broker_url")
    @classmethod
    def _check_broker(cls, url: str) -> str:
        # Several, separated by ";", are tried in turn.
        if not all(is_url(each, *BROKER_SCHEMES) for each in url.split(";")):
            raise ValueError(
                f"{without_secrets(url)} is not redis://HOST:PORT/0 or amqp://HOST:PORT//"
            )
        return url

    @property
    def uses_embedded_broker(self) -> bool:
        """Whether the broker is a SQLite file."""
        return self.broker_url.startswith("sqla+")

    def schedules(self, task: str) -> bool:
        """Return whether this process enqueues the periods of a scheduled task."""
        if self.schedule_tasks is None:
            return True
        return task in [name.strip() for name in self.schedule_tasks.split(",")]

    @property
    def lease(self) -> timedelta:
        """How long a claim is valid without a heartbeat."""
        return timedelta(seconds=self.task_lease)

    @property
    def outage_after(self) -> float:
        """Seconds after which a statement that waits counts as an outage.

        Leases may have ended meanwhile that their holders renew in a moment.
        """
        return self.task_lease / 3

    @property
    def recovery_pause(self) -> float:
        """Seconds to wait after an outage, until all holders have renewed their leases."""
        return self.task_sweep + 1

    def require_production_broker(self) -> None:
        """Refuse the embedded broker in production: one file, polled by one machine.

        Raises:
            StartupError: ENVIRONMENT is production and BROKER_URL is the default.
        """
        if self.environment == "production" and self.uses_embedded_broker:
            raise StartupError(
                f"BROKER_URL is {self.broker_url!r}, the embedded broker for development."
                " Set it to redis://... or amqp://..., or set ENVIRONMENT=development, as"
                " `uv run poe dev` does."
            )


@cache
def get_settings() -> Settings:
    """Return the settings, read once for this process."""
    return load_settings(Settings)


def load_settings(settings_class: type[SettingsType]) -> SettingsType:
    """Read settings from the environment and `.env`.

    `ENV_FILE` names another file; empty means none. An invalid setting ends the process
    with its message, without a traceback.

    Raises:
        StartupError: The file is not UTF-8.
    """
    env_file = os.environ.get("ENV_FILE", ".env") or None
    with without_traceback():
        try:
            return settings_class(_env_file=env_file)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise StartupError(
                f"{env_file} is not UTF-8, in line {line}. Save it as UTF-8."
            ) from None

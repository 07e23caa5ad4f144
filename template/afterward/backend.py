"""The contract between an application and the four backends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from afterward.errors import StartupError
from afterward.tasks import TASKS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fastapi import APIRouter

    from afterward.database import Database
    from afterward.discovery import Domains
    from afterward.tasks import TaskRun


class Option(StrEnum):
    """What `@task`, one call, or the application may ask of a backend."""

    RETRIES = "retries"
    TIMEOUT = "timeout"
    RETRY_ON = "retry_on"
    DISCARD_ON = "discard_on"
    QUEUE = "queue"
    CRON = "cron"
    TIMEZONE = "timezone"
    KEY = "key"
    RUN_AT = "run_at"
    PRIORITY = "priority"
    STATUS = "status"  # GET /tasks/{task_id}
    START_AFTER_RESPONSE = "start_after_response"  # never before the response is sent


COMMON = frozenset({Option.TIMEOUT, Option.CRON, Option.TIMEZONE})  # of every backend
DURABLE = COMMON | {
    Option.RETRIES,
    Option.RETRY_ON,
    Option.DISCARD_ON,
    Option.KEY,
    Option.RUN_AT,
    Option.PRIORITY,
    Option.STATUS,
}  # of every backend with an outbox


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """What a probe and the metrics show of a backend."""

    degraded: list[str] = field(default_factory=list)  # names of what is down
    open_runs: dict[str, int] = field(default_factory=dict)  # by state
    oldest_seconds: float = 0.0  # how long the oldest waiting run has been due


class Application(Protocol):
    """What backends, schedules and probes use of `Background`."""

    backend: Backend
    domains: Domains

    @property
    def database(self) -> Database:
        """The application's database."""
        ...

    @property
    def has_database(self) -> bool:
        """Whether the application gave an engine."""
        ...

    def prepare(self) -> None:
        """Make the database ready for this process, and check its schema. It blocks."""


class Backend(Protocol):
    """Runs task runs under one pattern.

    Attributes:
        name: The pattern: simple, async, safe or celery.
        supports: The options that this backend honours.
        is_durable: Whether task runs are rows of the outbox.
    """

    name: str
    supports: frozenset[Option]
    is_durable: bool

    def connect(self, application: Application) -> None:
        """Take the application's configuration. `Background` calls it once."""

    def routers(self) -> list[APIRouter]:
        """Return the routes that the backend adds to the API."""
        ...

    def insert(self, session: Any, runs: list[TaskRun], *, in_request: bool) -> None:
        """Write task runs into the session's transaction, if they are rows at all.

        Args:
            session: A SQLAlchemy `Session`.
            runs: The task runs.
            in_request: Whether `start_after_response` follows.
        """

    def start(self, runs: list[TaskRun]) -> None:
        """Start committed task runs. Callable from any thread; never blocks."""

    async def start_after_response(self, runs: list[TaskRun]) -> None:
        """Start the committed task runs of a request whose response has been sent."""

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Run tasks while the block lasts, then drain within SHUTDOWN_GRACE."""
        ...

    async def status(self) -> BackendStatus:
        """Return the state of the backend, for probes and metrics."""
        ...


def check_supported(backend: Backend) -> None:
    """Refuse to start when a task declares an option that the backend lacks.

    Raises:
        StartupError: It names the task, the option and the remedy.
    """
    for task in TASKS.values():
        for option, value in task.options.items():
            if option not in backend.supports:
                remedy = "celery" if option == Option.QUEUE else "safe"
                raise StartupError(
                    f"Task {task.name!r} declares {option}={value!r}, which pattern"
                    f" {backend.name!r} does not support. Remove it, or run:"
                    f" bgscaffold promote {remedy}"
                )

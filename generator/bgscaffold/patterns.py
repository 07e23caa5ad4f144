"""The four patterns: one record each, for the commands, their help and their output."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Pattern(StrEnum):
    """How a project runs its background tasks."""

    SIMPLE = "simple"
    ASYNC = "async"
    SAFE = "safe"
    CELERY = "celery"


DEFAULT = Pattern.SIMPLE


def row(title: str, default: str | None = None) -> Any:
    """Declare a row of the table of promises."""
    if default is None:
        return field(metadata={"title": title})
    return field(default=default, metadata={"title": title})


@dataclass(frozen=True, kw_only=True)
class Promises:
    """What a pattern promises: one field for each row of `bgscaffold patterns`."""

    run_in: str = row("tasks run in")
    isolation: str = row("a failing task stops only itself", "yes")
    validation: str = row("a wrong argument fails the request", "yes")
    failures: str = row("failures are recorded in")
    timeout: str = row("timeout", "async tasks only")
    shutdown: str = row("on SIGTERM, in the grace period", "finishes")
    cut_off: str = row("not finished in the grace period")
    crash: str = row("on kill -9 or power loss")
    broker_down: str = row("while the broker is down", "-")
    retries: str = row("retries with backoff, then dead")
    options: str = row("idempotency key, delay, priority")
    status: str = row("GET /tasks/{id}: state, progress")
    administration: str = row("list, cancel, retry dead tasks")
    queues: str = row("separate queues", "no")
    operation: str = row("health, metrics, JSON logs", "yes")
    transaction: str = row("enqueued in your transaction")
    development_servers: str = row("servers in development", "none")
    production_servers: str = row("servers in production", "none")
    machines: str = row("many machines")


@dataclass(frozen=True, kw_only=True)
class PatternRecord:
    """What the generator knows about a pattern."""

    title: str
    promises: Promises
    supports: frozenset[str]  # options of @task(...) and .options(...)
    durable: bool = False  # tasks are kept in the outbox
    processes: tuple[str, ...] = ("api",)  # those that tasks need; the last runs them
    dev: str = "start the API"  # what `poe dev` does
    production: str = ""  # what production needs


IN_PROCESS = frozenset({"timeout", "cron", "timezone"})
DURABLE = IN_PROCESS | {
    "retries",
    "retry_on",
    "discard_on",
    "key",
    "run_at",
    "priority",
}

RECORDS = {
    Pattern.SIMPLE: PatternRecord(
        title="FastAPI's BackgroundTasks: one after another, in the web process",
        promises=Promises(
            run_in="web process",
            failures="log, metrics",
            cut_off="lost",
            crash="lost",
            retries="no",
            options="no",
            status="no",
            administration="no",
            transaction="-",
            machines="no",
        ),
        supports=IN_PROCESS,
    ),
    Pattern.ASYNC: PatternRecord(
        title="concurrent and bounded, on the event loop of the web process",
        promises=Promises(
            run_in="event loop",
            failures="log, metrics",
            cut_off="lost",
            crash="lost",
            retries="no",
            options="no",
            status="no",
            administration="no",
            transaction="-",
            machines="no",
        ),
        supports=IN_PROCESS,
    ),
    Pattern.SAFE: PatternRecord(
        title="kept in the database, run by the web process, resumed after a crash",
        promises=Promises(
            run_in="web process",
            failures="and database",
            cut_off="runs again",
            crash="resumed",
            retries="yes",
            options="yes",
            status="yes",
            administration="yes",
            transaction="yes",
            machines="no",
        ),
        supports=DURABLE,
        durable=True,
    ),
    Pattern.CELERY: PatternRecord(
        title="kept in the database, run by Celery workers on many machines",
        promises=Promises(
            run_in="workers",
            failures="and database",
            timeout="all tasks",
            cut_off="runs again",
            crash="resumed",
            broker_down="accepted",
            retries="yes",
            options="yes",
            status="yes",
            administration="yes",
            queues="yes",
            transaction="yes",
            production_servers="broker, db",
            machines="yes",
        ),
        supports=DURABLE | {"queue"},
        durable=True,
        processes=("api", "worker"),
        dev="start the API, the worker and beat",
        production=(
            "In production set BROKER_URL (Redis or RabbitMQ) and DATABASE_URL"
            " (PostgreSQL), and start a worker and beat beside the API. A new database"
            " is empty, so first copy your data into it."
        ),
    ),
}

"""The four patterns: one record each, which the CLI, its help and its messages read."""

from dataclasses import dataclass
from enum import StrEnum


class Pattern(StrEnum):
    """How a project runs its background tasks."""

    SIMPLE = "simple"
    ASYNC = "async"
    SAFE = "safe"
    CELERY = "celery"


DEFAULT = Pattern.SIMPLE

PROMISES = (
    "tasks run in",
    "a failing task stops only itself",
    "a wrong argument fails the request",
    "a failure is seen in",
    "timeout",
    "at SIGTERM, within the grace",
    "not finished within the grace",
    "kill -9, power cut",
    "broker down",
    "retry with backoff, then dead",
    "idempotency key, delay, priority",
    "GET /tasks/{id}: state, progress",
    "list, cancel, retry a dead one",
    "queues of their own",
    "health, metrics, JSON logs",
    "enqueued in the caller's transaction",
    "a server, in development",
    "servers, in production",
    "many machines",
)


@dataclass(frozen=True)
class PatternRecord:
    """What one pattern is, what it promises (in the order of `PROMISES`), and how it starts."""

    title: str
    promises: tuple[str, ...]
    dev: str
    supports: frozenset[
        str
    ]  # of the options in @task(...) and .options(...); a test compares
    durable: bool  # it keeps tasks in the outbox


IN_PROCESS = frozenset({"timeout"})
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
        promises=(
            *("web process", "yes", "yes", "log, metrics", "of async def"),
            *("finishes", "lost", "lost", "-"),
            *("no", "no", "no", "no", "no", "yes"),
            *("-", "none", "none", "own requests"),
        ),
        dev="start the API",
        supports=IN_PROCESS,
        durable=False,
    ),
    Pattern.ASYNC: PatternRecord(
        title="concurrent and bounded, on the event loop of the web process",
        promises=(
            *("event loop", "yes", "yes", "log, metrics", "of async def"),
            *("finishes", "lost", "lost", "-"),
            *("no", "no", "no", "no", "no", "yes"),
            *("-", "none", "none", "own requests"),
        ),
        dev="start the API",
        supports=IN_PROCESS,
        durable=False,
    ),
    Pattern.SAFE: PatternRecord(
        title="kept in the database, run by the web process, resumed after a crash",
        promises=(
            *("web process", "yes", "yes", "and in its row", "of async def"),
            *("finishes", "runs again", "resumed", "-"),
            *("yes", "yes", "yes", "yes", "no", "yes"),
            *("yes", "none", "none", "with PostgreSQL"),
        ),
        dev="start the API",
        supports=DURABLE,
        durable=True,
    ),
    Pattern.CELERY: PatternRecord(
        title="kept in the database, run by Celery workers on many machines",
        promises=(
            *("workers", "yes", "yes", "and in its row", "of all tasks"),
            *("finishes", "runs again", "resumed", "accepted"),
            *("yes", "yes", "yes", "yes", "yes", "yes"),
            *("yes", "none", "broker, db", "yes"),
        ),
        dev="start the API, the worker and beat",
        supports=DURABLE | {"queue"},
        durable=True,
    ),
}

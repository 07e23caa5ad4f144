"""The four patterns: one record each, which the CLI, its help and its messages read."""

from dataclasses import dataclass
from enum import StrEnum

from bgscaffold.errors import PatternsDisagree


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
class Record:
    """What one pattern is, what it promises (in the order of `PROMISES`), and how it starts."""

    title: str
    promises: tuple[str, ...]
    dev: str
    supports: frozenset[str]  # of the options in @task(...) and .options(...); a test compares
    durable: bool  # it keeps tasks in the outbox


IN_PROCESS = frozenset({"timeout"})
DURABLE = IN_PROCESS | {"retries", "retry_on", "discard_on", "key", "run_at", "priority"}

RECORDS = {
    Pattern.SIMPLE: Record(
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
    Pattern.ASYNC: Record(
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
    Pattern.SAFE: Record(
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
    Pattern.CELERY: Record(
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


@dataclass(frozen=True)
class Question:
    """A question of the wizard, and its possible answers."""

    text: str
    answers: tuple[str, ...]


QUESTIONS = (
    Question(
        "How long does your slowest task take? A server that is told to stop, as at every deploy,\n"
        "gets a grace to finish what runs: 30 seconds on most platforms.",
        (
            "a moment: a mail, a line in a log",
            "seconds, and it always ends within the grace",
            "longer than the grace, or nobody knows",
        ),
    ),
    Question(
        "May a task that was accepted be lost, when the process crashes or the machine goes down?",
        (
            "yes, now and then",
            "no",
            "no, and tasks need processes or machines of their own",
        ),
    ),
)

ADVICE = {
    (0, 0): (Pattern.SIMPLE, "Short work that may be lost needs no more than FastAPI itself."),
    (1, 0): (Pattern.ASYNC, "Tasks run concurrently and bounded, and finish within the grace."),
    (2, 0): (
        Pattern.SAFE,
        "What outlasts the grace would be lost at every deploy, not only in a crash.",
    ),
    (0, 1): (
        Pattern.SAFE,
        "Tasks wait in the database, so a crash loses none; no server is needed.",
    ),
    (1, 1): (
        Pattern.SAFE,
        "Tasks wait in the database, so a crash loses none; no server is needed.",
    ),
    (2, 1): (Pattern.SAFE, "Tasks wait in the database, and what a deploy cuts off runs again."),
    (0, 2): (
        Pattern.CELERY,
        "Workers run the tasks, on as many machines as you like; none is lost.",
    ),
    (1, 2): (
        Pattern.CELERY,
        "Workers run the tasks, on as many machines as you like; none is lost.",
    ),
    (2, 2): (Pattern.CELERY, "Workers run the tasks, apart from the API; its deploys stop none."),
}


def choose(pattern: Pattern | None, *, with_celery: bool) -> Pattern:
    """Return the pattern that the two options together ask for."""
    if with_celery and pattern not in (None, Pattern.CELERY):
        raise PatternsDisagree(f"--pattern {pattern} --with-celery")
    return Pattern.CELERY if with_celery else pattern or DEFAULT

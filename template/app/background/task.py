"""Tasks: what `@task` registers, and what a call must be to become a task run."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FunctionType
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack
from uuid import uuid4

from app.background import cron
from app.refusals import RefusesToStart

P = ParamSpec("P")
R = TypeVar("R")
Errors = type[Exception] | tuple[type[Exception], ...]
ADD_SCHEDULES = "bgscaffold update --with-schedule"
DEEPEST = 100  # levels of an argument: readers of JSON give up somewhere


class TaskOptions(TypedDict, total=False):
    """What `@task` may declare. For what is left out, the pattern has a default."""

    retries: int  # how often a failed attempt is repeated
    timeout: float  # seconds for one attempt
    retry_on: Errors  # only these are repeated
    discard_on: Errors  # these are not
    queue: str  # a queue of its own, for workers of its own
    cron: str  # when it runs by itself: minute, hour, day, month, weekday
    timezone: str  # where that counts; SCHEDULE_TIMEZONE unless given


class CallOptions(TypedDict, total=False):
    """What one call may ask for, with `options(...)`."""

    key: str | None  # the same key and task make one task run; None: a request's does not count
    run_at: datetime  # not before this moment, which has a time zone
    priority: Literal["high", "normal", "low"]


class EnqueueError(TypeError):
    """A call that cannot become a task run: the message names task, argument and remedy."""

    status = 500  # of the request that it fails


@dataclass(frozen=True, slots=True)
class Task:
    """A registered function; `options` holds only what its `@task` declares."""

    name: str
    func: Callable[..., Any]
    signature: inspect.Signature
    options: TaskOptions

    @property
    def is_async(self) -> bool:
        """Whether the function is an `async def`."""
        return inspect.iscoroutinefunction(self.func)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One enqueued call: its arguments have been bound, and have been through JSON."""

    task_id: str
    task: Task
    args: list[Any]
    kwargs: dict[str, Any]
    options: CallOptions = field(default_factory=CallOptions)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        return f"{self.task.name} [{self.task_id}]"


TASKS: dict[str, Task] = {}
_BY_FUNCTION: dict[FunctionType, Task] = {}


def task(name: str, **options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a module-level function as a task. The function itself stays as it is.

    Args:
        name: `domain.verb`, unique. Messages and rows carry it, so keep it when you move the code.
        options: See `TaskOptions`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name):
        raise ValueError(f"@task({name!r}): a task name is 'domain.verb', in lower case.")
    refuse_unknown(f"@task({name!r})", options, TaskOptions)
    if options.get("retries", 0) < 0 or options.get("timeout", 1) <= 0:
        raise ValueError(f"@task({name!r}): retries must be 0 or more, timeout more than 0.")

    def register(func: Callable[P, R]) -> Callable[P, R]:
        if not isinstance(func, FunctionType) or "<" in func.__qualname__:
            raise TypeError(f"@task({name!r}) needs a function at module level, not {func!r}.")
        known = TASKS.get(name)
        if known and (known.func.__module__, known.func.__qualname__) != (
            func.__module__,
            func.__qualname__,
        ):
            raise ValueError(f"@task({name!r}): {known.func!r} already has this name.")
        signature = inspect.signature(func)
        cron.check(name, signature, options)
        TASKS[name] = _BY_FUNCTION[func] = Task(name, func, signature, options)
        return func

    return register


def bind(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskRun:
    """Check a call and make it a task run.

    Raises:
        EnqueueError: The function is no task, an argument is missing, unknown or not JSON.
    """
    task = _BY_FUNCTION.get(func) if isinstance(func, FunctionType) else None
    if task is None:
        raise EnqueueError(
            f"{func!r} is not a task. Decorate a function at module level with"
            " @task('domain.verb') and pass that function."
        )
    try:
        arguments = task.signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise EnqueueError(f"task {task.name!r}{task.signature}: {error}.") from None
    for name, value in arguments.items():
        _check_json(task, name, value)
    args_, kwargs_ = json.loads(json.dumps([args, kwargs]))
    return TaskRun(str(uuid4()), task, args_, kwargs_)


def _check_json(task: Task, name: str, value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
        if _depth(value) > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels deep")
    except (TypeError, ValueError, RecursionError) as error:
        raise EnqueueError(
            f"task {task.name!r}, argument {name!r}: {type(value).__name__} is not JSON ({error})."
            " Pass an id, a path or plain values, and let the task fetch the rest."
        ) from None


def _depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list | tuple) else 0


def refuse_unknown(what: str, options: Mapping[str, Any], known: type) -> None:
    """Refuse options that are misspelt.

    Raises:
        TypeError: It names them, and those that there are.
    """
    if unknown := options.keys() - known.__annotations__:
        raise TypeError(f"{what}: unknown {sorted(unknown)}, use {sorted(known.__annotations__)}.")


def check_options(pattern: str, supported: AbstractSet[str]) -> None:
    """Refuse to start when a task declares an option that the pattern cannot honour.

    Raises:
        RefusesToStart: It names the task and the option.
    """
    for task in TASKS.values():
        for option, value in task.options.items():
            if option not in supported | cron.SUPPORTED:
                who, remedy = _lacking(pattern, option)
                raise RefusesToStart(
                    f"task {task.name!r} declares {option}={value!r}, which {who} cannot do."
                    f" Remove it, or {remedy}"
                )


def _lacking(pattern: str, option: str) -> tuple[str, str]:
    """Return who cannot honour an option, and what brings it."""
    if option in ("cron", "timezone"):
        return "a project without schedules", f"give it some: {ADD_SCHEDULES}"
    able = "celery" if option == "queue" else "safe"
    return f"pattern {pattern!r}", f"run: bgscaffold promote {able}"

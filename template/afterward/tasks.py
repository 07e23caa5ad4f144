"""Tasks: the registry, their options, and the check of a call's arguments."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FunctionType
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack, cast
from uuid import uuid4

from afterward.errors import EnqueueError

P = ParamSpec("P")
R = TypeVar("R")
ErrorTypes = type[Exception] | tuple[type[Exception], ...]
MAX_DEPTH = 100  # levels of an argument; JSON readers have a limit


class TaskOptions(TypedDict, total=False):
    """What `@task` may declare. An option that is left out takes the backend's default."""

    retries: int  # how often a failed attempt is repeated
    timeout: float  # seconds for one attempt
    retry_on: ErrorTypes  # only these errors are retried
    discard_on: ErrorTypes  # these errors are not retried
    queue: str  # a queue of its own, for workers of its own
    cron: str  # minute, hour, day, month, weekday
    timezone: str  # of `cron`; the default is SCHEDULE_TIMEZONE


class CallOptions(TypedDict, total=False):
    """What `options(...)` may ask for one call."""

    key: str | None  # the same key and task make one run; None ignores the header
    run_at: datetime  # not before this moment; it has a time zone
    priority: Literal["high", "normal", "low"]


@dataclass(frozen=True, slots=True)
class Task:
    """A registered function. `options` has only what its `@task` declares."""

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
    """One enqueued call. Its arguments are checked, and are plain JSON values."""

    task_id: str
    task: Task
    args: list[Any]
    kwargs: dict[str, Any]
    options: CallOptions = field(default_factory=CallOptions)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        return f"{self.task.name} [{self.task_id}]"

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as they are stored."""
        return {"args": self.args, "kwargs": self.kwargs}


TASKS: dict[str, Task] = {}
_TASKS_BY_FUNCTION: dict[FunctionType, Task] = {}


def task(
    name: str, **options: Unpack[TaskOptions]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a module-level function as a task. The function itself is unchanged.

    Args:
        name: `domain.verb`, unique. Rows and messages carry the name, so keep it when
            you move or rename the function.
        options: See `TaskOptions`.

    Raises:
        ValueError: The name or an option is not valid, or the name is taken.
        TypeError: The option is unknown, or the function is not at module level.
    """
    _check_declaration(name, options)

    def register(func: Callable[P, R]) -> Callable[P, R]:
        if not isinstance(func, FunctionType) or "<" in func.__qualname__:
            raise TypeError(
                f"@task({name!r}) needs a function at module level, not {func!r}."
            )
        _check_name_is_free(name, func)
        signature = inspect.signature(func)
        if "cron" in options or "timezone" in options:
            _check_schedule(name, signature, options)
        TASKS[name] = _TASKS_BY_FUNCTION[func] = Task(name, func, signature, options)
        return func

    return register


def _check_declaration(name: str, options: TaskOptions) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name):
        raise ValueError(
            f"@task({name!r}): a task name is 'domain.verb', in lower case."
        )
    check_known(f"@task({name!r})", options, TaskOptions)
    if options.get("retries", 0) < 0 or options.get("timeout", 1) <= 0:
        raise ValueError(
            f"@task({name!r}): retries must be 0 or more, timeout more than 0."
        )


def _check_name_is_free(name: str, func: FunctionType) -> None:
    if name not in TASKS:
        return
    known = cast("FunctionType", TASKS[name].func)
    # A module that is reloaded registers the same function again.
    is_reloaded = known.__module__ == func.__module__
    if not is_reloaded or known.__qualname__ != func.__qualname__:
        other = f"{known.__module__}.{known.__qualname__}"
        raise ValueError(f"@task({name!r}): {other} already has this name.")


def _check_schedule(
    name: str, signature: inspect.Signature, options: TaskOptions
) -> None:
    from afterward.requirements import require

    require("schedule", f"Task {name!r} declares cron= and")
    from afterward.schedule import cron  # needs packages that not every project has

    cron.check_schedule(name, signature, options)


def bind(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TaskRun:
    """Check a call, and return it as a task run.

    Raises:
        EnqueueError: The function is not a task, or an argument is missing, unknown or
            not JSON.
    """
    task = _TASKS_BY_FUNCTION.get(func) if isinstance(func, FunctionType) else None
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
        if _depth(value) > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels deep")
    except (TypeError, ValueError, RecursionError) as error:
        raise EnqueueError(
            f"task {task.name!r}, argument {name!r}: {type(value).__name__} is not JSON"
            f" ({error}). Pass an id, a path or plain values, and let the task fetch the"
            " rest."
        ) from None


def _depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        return 0
    return 1 + max(map(_depth, value), default=0)


def check_known(where: str, options: Mapping[str, Any], known: type) -> None:
    """Refuse misspelled options.

    Raises:
        TypeError: It names the unknown options, and those that exist.
    """
    if unknown := options.keys() - known.__annotations__:
        names = ", ".join(known.__annotations__)
        raise TypeError(f"{where}: unknown {', '.join(sorted(unknown))}. Use {names}.")

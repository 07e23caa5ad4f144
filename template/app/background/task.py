"""Tasks: what `@task` registers, and what a call must be to become a task run."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

P = ParamSpec("P")
R = TypeVar("R")


class EnqueueError(TypeError):
    """A call that cannot become a task run: the message names task, argument and remedy."""


@dataclass(frozen=True, slots=True)
class Task:
    """A registered function; `options` holds only what its `@task` declares."""

    name: str
    func: Callable[..., Any]
    signature: inspect.Signature
    options: dict[str, Any]

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

    def __str__(self) -> str:
        return f"{self.task.name} [{self.task_id}]"


TASKS: dict[str, Task] = {}
_BY_FUNCTION: dict[FunctionType, Task] = {}


def task(name: str, *, retries: int | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a module-level function as a task. The function itself stays as it is.

    Args:
        name: `domain.verb`, unique. Messages and rows carry it, so keep it when you move the code.
        retries: How often a failed attempt is repeated. Left out, the pattern decides.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name):
        raise ValueError(f"@task({name!r}): a task name is 'domain.verb', in lower case.")
    if retries is not None and retries < 0:
        raise ValueError(f"@task({name!r}): retries={retries} must be 0 or more.")
    options = {key: value for key, value in {"retries": retries}.items() if value is not None}

    def register(func: Callable[P, R]) -> Callable[P, R]:
        if not isinstance(func, FunctionType) or "<" in func.__qualname__:
            raise TypeError(f"@task({name!r}) needs a function at module level, not {func!r}.")
        known = TASKS.get(name)
        if known and (known.func.__module__, known.func.__qualname__) != (
            func.__module__,
            func.__qualname__,
        ):
            raise ValueError(f"@task({name!r}): {known.func!r} already has this name.")
        TASKS[name] = _BY_FUNCTION[func] = Task(name, func, inspect.signature(func), options)
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
    except (TypeError, ValueError, RecursionError) as error:
        raise EnqueueError(
            f"task {task.name!r}, argument {name!r}: {type(value).__name__} is not JSON ({error})."
            " Pass an id, a path or plain values, and let the task fetch the rest."
        ) from None


def check_options(pattern: str, backend: object) -> None:
    """Refuse to start when a task declares an option that the backend cannot honour.

    Raises:
        RuntimeError: It names the task and the option.
    """
    for task in TASKS.values():
        for option, value in task.options.items():
            if not getattr(backend, f"supports_{option}"):
                raise RuntimeError(
                    f"task {task.name!r} declares {option}={value!r}, which pattern {pattern!r}"
                    " cannot do. Remove it, or use a pattern that can: safe, celery."
                )

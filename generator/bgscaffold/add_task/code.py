"""The code of a new task: formatted, typed, and the same under every pattern."""

from dataclasses import dataclass

from bgscaffold.add_task.task_name import TaskName

NOTE = "Tasks may run more than once, so keep this idempotent."
EXAMPLE_ID = 7  # the item that tests and examples enqueue
TESTING = "from afterward.testing import Enqueued"
RUN_ENQUEUED = "run_enqueued: Callable[[], list[Any]]"


@dataclass(frozen=True)
class NewTask:
    """A task to add. One with a schedule takes no argument."""

    name: TaskName
    is_async: bool = False
    cron: str = ""
    timezone: str = ""

    @property
    def declaration(self) -> list[str]:
        """Return the arguments of its decorator."""
        options = {"cron": self.cron, "timezone": self.timezone}
        declared = [f'{name}="{value}"' for name, value in options.items() if value]
        return [f'"{self.name}"', *declared]

    @property
    def path(self) -> str:
        """Return the path of its route, without a prefix."""
        return f"/{self.name.slug}" if self.cron else f"/{{item_id}}/{self.name.slug}"


@dataclass(frozen=True)
class CodeContext:
    """Where the code goes: what its imports and the width of its lines depend on."""

    package: str  # of the application, such as "app"
    tasks_module: str  # such as "app.invoices.tasks"
    line_length: int


def tasks_module(new: NewTask, title: str, context: CodeContext) -> str:
    """Return a module with one task."""
    return f'''"""{title}"""

from afterward import task


{task_function(new, "task", context)}'''


def task_function(new: NewTask, decorator: str, context: CodeContext) -> str:
    """Return the function of a task, under the name that a module has for `task`."""
    declaration = in_brackets(
        f"@{decorator}(", new.declaration, ")", line_length=context.line_length
    )
    keyword = "async def" if new.is_async else "def"
    parameters = "" if new.cron else "item_id: int"
    purpose = "Do the scheduled work." if new.cron else "Process one item."
    return f'''{declaration}
{keyword} {new.name.function}({parameters}) -> None:
    """{purpose} {NOTE}"""
'''


def router_module(new: NewTask, prefix: str, context: CodeContext) -> str:
    """Return a module with a router, and a route that enqueues the task."""
    domain, function = new.name.domain, new.name.function
    route = in_brackets(
        "@router.post(",
        [f'"{new.path}"', "status_code=202"],
        ")",
        line_length=context.line_length,
    )
    router = in_brackets(
        "router = APIRouter(",
        [f'prefix="{prefix}"', f'tags=["{domain}"]'],
        ")",
        line_length=context.line_length,
    )
    return f'''"""Route of the task `{new.name}`."""

from fastapi import APIRouter
from pydantic import BaseModel

{own_imports(new, context, "BackgroundTasksDep")}

{router}


class Accepted(BaseModel):
    """The accepted task run."""

    task_id: str


{route}
{route_signature(new, context)}
    """Enqueue the task `{function}`."""
{route_body(new, context)}
'''


def own_imports(new: NewTask, context: CodeContext, name: str, *others: str) -> str:
    """Return sorted imports: the task, a name of background.py, and others."""
    background = f"from {context.package}.background import {name}"
    return "\n".join(sorted([background, import_of(new, context), *others]))


def import_of(new: NewTask, context: CodeContext) -> str:
    """Return the import of the task's function."""
    statement = f"from {context.tasks_module} import "
    function = new.name.function
    if len(statement + function) <= context.line_length:
        return statement + function
    return f"{statement}(\n    {function},\n)"


def route_signature(new: NewTask, context: CodeContext) -> str:
    """Return the first lines of the route's function."""
    parameters = ["background_tasks: BackgroundTasksDep"]
    if not new.cron:
        parameters.insert(0, "item_id: int")
    return in_brackets(
        f"async def enqueue_{new.name.function}(",
        parameters,
        ") -> Accepted:",
        line_length=context.line_length,
    )


def route_body(new: NewTask, context: CodeContext) -> str:
    """Return the body of the route's function."""
    arguments = [new.name.function]
    if not new.cron:
        arguments.append("item_id")
    task_id = f"background_tasks.add_task({', '.join(arguments)})"
    body = f"    return Accepted(task_id={task_id})"
    if len(body) > context.line_length:
        return f"    task_id = {task_id}\n    return Accepted(task_id=task_id)"
    return body


def in_brackets(
    opening: str, parts: list[str], closing: str, *, line_length: int
) -> str:
    """Lay out brackets as ruff does: on one line, on three, or one line for a part."""
    inner = ", ".join(parts)
    if len(f"{opening}{inner}{closing}") <= line_length:
        return f"{opening}{inner}{closing}"
    if len(f"    {inner}") > line_length:
        inner = ",\n    ".join(parts) + ","
    return f"{opening}\n    {inner}\n{closing}"


def test_module(new: NewTask, url: str, context: CodeContext) -> str:
    """Return the tests of a task, which use its route if it has one."""
    if url:
        return tests_with_route(new, url, context)
    return test_without_route(new, context)


def tests_with_route(new: NewTask, url: str, context: CodeContext) -> str:
    """Return the tests of a task and its route."""
    enqueues = test_signature(
        "test_the_route_enqueues_the_task",
        ["client: TestClient", "enqueued: Enqueued"],
        context,
    )
    succeeds = test_signature(
        "test_the_task_succeeds", ["client: TestClient", RUN_ENQUEUED], context
    )
    return f'''"""Tests of the task `{new.name}` and its route."""

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

{TESTING}

URL = "{url}"


{enqueues}
    response = client.post(URL)
    assert response.status_code == 202
{assertion(new, context)}


{succeeds}
    client.post(URL)
    assert run_enqueued() == [None]
'''


def test_without_route(new: NewTask, context: CodeContext) -> str:
    """Return the test of a task that no route enqueues."""
    succeeds = test_signature(
        "test_the_task_succeeds", ["enqueued: Enqueued", RUN_ENQUEUED], context
    )
    function = new.name.function
    call = function if new.cron else f"{function}, {EXAMPLE_ID}"
    return f'''"""Tests of the task `{new.name}`."""

from collections.abc import Callable
from typing import Any

{own_imports(new, context, "background_tasks", TESTING)}


{succeeds}
    with background_tasks() as tasks:
        tasks.add_task({call})
{assertion(new, context)}
    assert run_enqueued() == [None]
'''


def test_signature(name: str, parameters: list[str], context: CodeContext) -> str:
    """Return the first lines of a test."""
    return in_brackets(
        f"def {name}(", parameters, ") -> None:", line_length=context.line_length
    )


def assertion(new: NewTask, context: CodeContext) -> str:
    """Return the statement that compares what was enqueued."""
    arguments = [] if new.cron else [EXAMPLE_ID]
    call = f'("{new.name}", {arguments}, {{}})'
    line = f"    assert enqueued == [{call}]"
    if len(line) <= context.line_length:
        return line
    return f"    assert enqueued == [\n        {call},\n    ]"

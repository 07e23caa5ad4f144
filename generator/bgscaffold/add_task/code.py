"""The code that `bgscaffold add task` writes: formatted, typed, the same under every pattern."""

from dataclasses import dataclass

from bgscaffold.add_task.task_name import TaskName

CALLS_ALIAS = "Calls = list[tuple[str, list[Any], dict[str, Any]]]"


@dataclass(frozen=True)
class NewTask:
    """A task to add; one that is run by the clock takes no argument."""

    name: TaskName
    is_async: bool = False
    cron: str = ""
    timezone: str = ""

    @property
    def arguments(self) -> list[str]:
        """Return the parameters of the function."""
        return [] if self.cron else ["item_id: int"]

    @property
    def declared(self) -> list[str]:
        """Return what its decorator declares."""
        schedule = {"cron": self.cron, "timezone": self.timezone}
        return [
            f'"{self.name}"',
            *(f'{key}="{value}"' for key, value in schedule.items() if value),
        ]

    @property
    def path(self) -> str:
        """Return the path of its route, within its domain."""
        return f"/{self.name.slug}" if self.cron else f"/{{item_id}}/{self.name.slug}"

    @property
    def says(self) -> str:
        """Return what it logs, for item 7."""
        return self.name.function if self.cron else f"{self.name.function}: item 7"


def new_tasks_module(domain: str) -> str:
    """Return how a new tasks.py begins."""
    return f'"""Tasks of the domain `{domain}`."""\n'


def new_router_module(domain: str) -> str:
    """Return how a new router.py begins."""
    return f'''"""Routes of the domain `{domain}`."""

from fastapi import APIRouter

router = APIRouter(tags=["{domain}"])
'''


def task_function(new: NewTask, decorator: str, logging: str, width: int) -> str:
    """Return the task; `decorator` and `logging` are how the module calls these."""
    function = new.name.function
    message = f'"{function}"' if new.cron else f'"{function}: item %d", item_id'
    work = "its work" if new.cron else "the work for one item"
    return f'''{wrap_brackets(f"@{decorator}(", new.declared, ")", width)}
{"async " * new.is_async}def {function}({", ".join(new.arguments)}) -> None:
    """Do {work}. It may run twice, so let twice be as good as once."""
    {logging}.getLogger(__name__).info({message})
'''


def accepted_class(name: str, base: str) -> str:
    """Return the answer of a route, as the example domains have it."""
    return f'''class {name}({base}):
    """The work is accepted, and will be done after this response."""

    task_id: str
'''


def route_function(new: NewTask, path: str, names: dict[str, str], width: int) -> str:
    """Return the route; `names` are what the module calls what it needs."""
    function, answer = new.name.function, names["Accepted"]
    parameters = [*new.arguments, f"background_tasks: {names['BackgroundTasksDep']}"]
    call = ", ".join([names[function], *(["item_id"] if new.arguments else [])])
    decorator = wrap_brackets(
        "@router.post(", [f'"{path}"', "status_code=202"], ")", width
    )
    signature = wrap_brackets(
        f"async def enqueue_{function}(", parameters, f") -> {answer}:", width
    )
    task_id = f"background_tasks.add_task({call})"
    body = f"    return {answer}(task_id={task_id})"
    if len(body) > width:
        body = f"    task_id = {task_id}\n    return {answer}(task_id=task_id)"
    return f'''{decorator}
{signature}
    """Accept a call of `{function}`; the background does it."""
{body}
'''


def wrap_brackets(opening: str, parts: list[str], closing: str, width: int) -> str:
    """Return a bracket as the formatter lays it out: on one line, on three, or a line for each part."""
    inner = ", ".join(parts)
    if len(f"{opening}{inner}{closing}") <= width:
        return f"{opening}{inner}{closing}"
    if len(f"    {inner}") > width:
        inner = ",\n    ".join(parts) + ","
    return f"{opening}\n    {inner}\n{closing}"


def task_test(new: NewTask, url: str) -> str:
    """Return the test file; with the URL of a route, that is tested too."""
    call = f"{new.name.function}({'' if new.cron else '7'})"
    run = f"asyncio.run({call})" if new.is_async else call
    return f'''"""The task `{new.name}`."""

{imports_of_test(new, url)}
{f"{chr(10)}{CALLS_ALIAS}{chr(10)}{chr(10)}" if url else chr(10)}
def test_the_task_says_what_it_works_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    {run}
    assert caplog.messages == ["{new.says}"]
{route_tests(new, url) if url else ""}'''


def imports_of_test(new: NewTask, url: str) -> str:
    """Return the imports of the test file."""
    own = f"from {new.name.module} import {new.name.function}"
    standard = ["import asyncio"] * new.is_async + ["from typing import Any"] * bool(
        url
    )
    others = [
        "import pytest",
        *["from fastapi.testclient import TestClient"] * bool(url),
    ]
    tests = ["from tests.servers import Project, wait_for"] * bool(url)
    groups = [standard, others, [own, *tests]]
    return "\n\n".join("\n".join(group) for group in groups if group)


def route_tests(new: NewTask, url: str) -> str:
    """Return the tests of the route."""
    arguments = "[]" if new.cron else "[7]"
    return f'''

def test_the_route_enqueues_the_task(client: TestClient, enqueued: Calls) -> None:
    answer = client.post("{url}")
    assert (answer.status_code, list(answer.json())) == (202, ["task_id"])
    assert enqueued == [("{new.name}", {arguments}, {{}})]


def test_the_real_server_does_it(server: Project) -> None:
    answer = server.post("{url}")
    assert answer.status_code == 202
    line = "{new.says}"
    wait_for(lambda: line in server.log(server.runner), line)
'''

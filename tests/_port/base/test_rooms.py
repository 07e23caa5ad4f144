"""The user's rooms: every folder of `app/` but the mechanism's.

They import the door and nothing behind it, which is why a project can change its pattern without a
change to them.
"""

import ast
from pathlib import Path

import pytest

from app import background, domains
from app.background.task import TASKS

APP = Path(__file__).parent.parent / "app"
ROOMS = sorted(f for f in APP.glob("*/*.py") if f.parent.name not in domains.NOT_DOMAINS)
MECHANISMS = (
    "asyncio",
    "billiard",
    "celery",
    "fastapi.BackgroundTasks",
    "kombu",
    "starlette.background",
    "threading",
)
DOOR = set(background.__all__)


@pytest.mark.parametrize("file", ROOMS, ids=lambda file: str(file.relative_to(APP)))
def test_user_rooms_import_no_mechanism(file: Path) -> None:
    behind_the_door = {
        name
        for name in imports(file)
        if name.startswith(MECHANISMS) or name.removeprefix("app.background.") not in DOOR | {name}
    }
    assert behind_the_door == set()


@pytest.mark.parametrize("file", ROOMS, ids=lambda file: str(file.relative_to(APP)))
def test_no_response_brings_tasks_of_its_own(file: Path) -> None:
    """FastAPI drops the injected tasks of a response that has its own `background=`."""
    calls = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
    assert [k.arg for call in calls for k in call.keywords if k.arg == "background"] == []


def test_every_declared_task_is_registered() -> None:
    domains.import_tasks()
    assert sorted(TASKS) == sorted(declared())


def declared() -> list[str]:
    """Return the task names that the user's rooms declare with `@task("...")`."""
    decorators = [
        decorator
        for file in ROOMS
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
    ]
    return [
        ast.literal_eval(d.args[0])
        for d in decorators
        if isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "task"
    ]


def imports(file: Path) -> set[str]:
    """Return every imported name, with its module."""
    names = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def tree(file: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(file.read_text(encoding="utf-8"))

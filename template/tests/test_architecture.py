"""The architecture: domain packages know `afterward` and the application, nothing else.

So `bgscaffold promote` can change the pattern without a change to them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from afterward import Background
from afterward.tasks import TASKS

APP = Path(__file__).parent.parent / "app"
FILES = {
    str(file.relative_to(APP)): ast.parse(file.read_text(encoding="utf-8"))
    for file in sorted(APP.glob("*/**/*.py"))
    if file.relative_to(APP).parts[0] != "migrations"
}
DOMAINS = {path.split("/")[0] for path in FILES}
PUBLIC = {
    "afterward",
    "afterward.settings",
    "app.background",
    "app.database",
    "app.settings",
}
# These run tasks past the pattern: nothing records, drains or retries them.
FORBIDDEN = {
    "asyncio.TaskGroup",
    "asyncio.create_task",
    "asyncio.ensure_future",
    "celery",
    "concurrent",
    "fastapi.BackgroundTasks",
    "multiprocessing",
    "starlette.background",
    "threading",
}
each_file = pytest.mark.parametrize("path", FILES)


@each_file
def test_domains_import_public_modules_only(path: str) -> None:
    own = {"app", "afterward"}
    imports = [name for name in imported(FILES[path]) if name.split(".")[0] in own]
    assert [name for name in imports if not is_public(name)] == []


@each_file
def test_domains_run_tasks_by_the_pattern_only(path: str) -> None:
    used = {*imported(FILES[path]), *attributes(FILES[path])}
    assert [name for name in sorted(used) if is_within(name, FORBIDDEN)] == []


@each_file
def test_no_response_has_background_tasks_of_its_own(path: str) -> None:
    # FastAPI then drops the tasks that the route has added.
    keywords = [n for n in ast.walk(FILES[path]) if isinstance(n, ast.keyword)]
    assert "background" not in [keyword.arg for keyword in keywords]


def test_every_declared_task_is_registered(background: Background) -> None:
    background.domains.import_tasks()
    declared = {(name, path) for path in FILES for name in tasks(FILES[path])}
    assert declared
    assert [each for each in sorted(declared) if each[0] not in TASKS] == []


def is_public(name: str) -> bool:
    """Return whether a domain may import this name."""
    module = name.rpartition(".")[0]
    return module in PUBLIC or is_within(name, {f"app.{each}" for each in DOMAINS})


def is_within(name: str, modules: set[str]) -> bool:
    """Return whether a name is, or is in, one of these modules."""
    return any(name == each or name.startswith(f"{each}.") for each in modules)


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of everything that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def attributes(tree: ast.Module) -> Iterator[str]:
    """Yield expressions such as `asyncio.create_task`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def tasks(tree: ast.Module) -> Iterator[str]:
    """Yield the names that `@task("...")` declares."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="task"), args=[ast.Constant(value=str(name))]
            ):
                yield name

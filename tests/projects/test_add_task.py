"""`bgscaffold add task` in real projects: clean at once, green at once, and the task runs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects.environments import Environment

Render = Callable[..., Path]
each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)
TASKS = (
    ["invoices.send_reminder", "--route"],  # a new domain
    ["invoices.collect", "--async", "--route"],  # the same, now an old one
    ["signup.purge", "--async", "--route"],
    ["actions.tidy"],
    [f"{'d' * 30}.{'n' * 30}", "--route"],  # the longest lines
)


def with_tasks(project: Path) -> Path:
    """Add tasks of every kind to a project."""
    for task in TASKS:
        add(project, *task)
    return project


def add(project: Path, *task: str) -> None:
    """Add one task, as its user does."""
    command = [sys.executable, "-m", "bgscaffold", "add", "task", *task]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@each_pattern
def test_lint_formatting_types_and_tests_are_green(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = with_tasks(rendered(pattern))
    newest.run(project, "ruff", "check", "--isolated")
    assert "Success: no issues found" in newest.run(project, "poe", "check")
    said = newest.test(project)
    assert " passed" in said
    # Once without, and once with the server.
    assert said.count("tests/invoices/test_send_reminder.py ") == 2
    assert said.count("tests/invoices/test_collect.py ") == 2
    assert said.count("tests/actions/test_tidy.py ") == 1


@each_pattern
def test_a_request_to_the_new_route_has_its_effect(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern)
    add(project, "invoices.send_reminder", "--route")
    add(project, "signup.purge", "--async", "--route")
    with newest.dev(project) as dev:
        dev.post("/invoices/7/send-reminder")
        dev.post("/signup/8/purge")
        wanted = {"send_reminder: item 7", "purge: item 8"}
        until(lambda: all(line in dev.screen for line in wanted), lambda: f"both:\n{dev.screen}")


def test_names_that_mean_something_elsewhere(rendered: Render, newest: Environment) -> None:
    project = rendered("celery")
    functions = ("setup", "teardown", "setup_method", "load_tests", "fixture", "request", "execute")
    domains = ("app", "test", "tests", "email", "logging", "fastapi", "kombu", "router", "docs")
    for name in (*(f"odd.{function}" for function in functions), *(f"{d}.tidy" for d in domains)):
        add(project, name, "--route")
    folders = [f"tests/{domain}" for domain in ("odd", *domains)]
    assert f" {3 * (len(functions) + len(domains))} passed" in newest.test(project, *folders)
    assert "Success: no issues found" in newest.run(project, "poe", "check")
    newest.run(project, "python", "-c", "import app.background.worker")


ROUTER = "from fastapi import APIRouter\n"
MODEL = "from pydantic import BaseModel\n"
ROUTERS = {
    "empty": f"{ROUTER}\nrouter = APIRouter(prefix='')\n",
    "named": f"{ROUTER}\nWHERE = '/v1/named'\nrouter = APIRouter(prefix=WHERE, tags=['x'])\n",
    "dotted": "import fastapi\n\nrouter = fastapi.APIRouter(prefix='/dotted')\n",
    "borrowed": f"{ROUTER}\nfrom app.signup.router import Accepted\n\nrouter = APIRouter()\n",
    "renamed": f"{ROUTER}\nfrom app.signup.router import Accepted as A\n\nrouter = APIRouter()\n",
    "needy": f"{ROUTER}{MODEL}\n\nclass Accepted(BaseModel):\n    n: int\n    task_id: str\n\n\n"
    "router = APIRouter()\n",
    "other": f"{ROUTER}\nfrom app.signup.tasks import send_welcome as Accepted\n\n"
    "router = APIRouter()\n",
    "late": f"from __future__ import annotations\n\n{ROUTER}\nrouter = APIRouter()\n",
}
TASK_FILES = {
    "empty": "import app\n",
    "named": "from app import background\n\n\n@background.task('named.x')\ndef x() -> None: ...\n",
    "dotted": "import app.background\n",
    "borrowed": "import app.background as bg\n\n\n@bg.task('borrowed.x')\ndef x() -> None: ...\n",
    "late": "import app.background.door\nimport logging.handlers\n",
}


def test_a_route_works_whatever_the_router_looks_like(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("simple")
    for domain, router in ROUTERS.items():
        (project / "app" / domain).mkdir()
        (project / "app" / domain / "__init__.py").touch()
        (project / "app" / domain / "router.py").write_text(router)
        (project / "app" / domain / "tasks.py").write_text(TASK_FILES.get(domain, ""))
        add(project, f"{domain}.tidy", "--route")
        # Alone, so that nothing is there but what the module itself imports.
        newest.run(project, "python", "-c", f"import app.{domain}.tasks")
    folders = [f"tests/{domain}" for domain in ROUTERS]
    assert f" {3 * len(ROUTERS)} passed" in newest.test(project, *folders)
    assert "Success: no issues found" in newest.run(project, "mypy")


def test_a_route_in_each_domain_that_comes_with_a_project(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery", schedule=True, ai=True)
    routers = sorted(project.glob("app/*/router.py"))
    domains = [router.parent.name for router in routers if router.parent.name != "background"]
    assert {"chat", "documents", "signup"} <= set(domains)
    for domain in domains:
        add(project, f"{domain}.tidy", "--route")
    tests = [f"tests/{domain}/test_tidy.py" for domain in domains]
    assert f" {3 * len(tests)} passed" in newest.test(project, *tests)
    assert "Success: no issues found" in newest.run(project, "poe", "check")


def test_a_scheduled_task_is_clean_and_green(rendered: Render, newest: Environment) -> None:
    project = rendered("safe", schedule=True)
    add(
        project, "night.tidy", "--route", "--cron", "0 3 * * mon-fri", "--timezone", "Europe/Berlin"
    )
    add(project, f"{'d' * 30}.{'n' * 30}", "--cron", "*/10 8-18 l 1-6 *", "--timezone", "UTC")
    assert " 4 passed" in newest.test(project, "tests/night", f"tests/{'d' * 30}")
    assert "Success: no issues found" in newest.run(project, "poe", "check")


def test_every_pattern_gets_the_same_code(rendered: Render) -> None:
    trees = [helpers.tree(with_tasks(rendered(pattern, "none"))) for pattern in helpers.PATTERNS]
    rooms = [{path: content for path, content in tree.items() if is_users(path)} for tree in trees]
    assert rooms[1:] == rooms[:1] * 3
    assert f"tests/{'d' * 30}/test_{'n' * 30}.py" in rooms[0]


def is_users(path: str) -> bool:
    """Tell whether a file lies in one of the domains."""
    domains = {task[0].split(".")[0] for task in TASKS}
    return path.split("/")[0] in ("app", "tests") and path.split("/")[1] in domains

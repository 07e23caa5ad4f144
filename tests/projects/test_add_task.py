"""`bgscaffold add task` in real projects: clean and green at once, and the task runs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects.dev import Dev
from tests.projects.environments import Environment

Render = Callable[..., Path]
each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)
LONG = f"{'d' * 30}.{'n' * 30}"
TASKS = (
    ["invoices.send_reminder", "--route"],  # a new domain
    ["invoices.collect", "--async", "--route"],  # the same, which now exists
    ["signup.purge", "--async", "--route"],
    ["actions.tidy"],
    [LONG, "--route"],  # the longest lines
)


def with_tasks(project: Path) -> Path:
    """Add tasks of every kind to a project."""
    for task in TASKS:
        add(project, *task)
    return project


def add(project: Path, *task: str) -> None:
    """Add one task, as a user does."""
    command = [sys.executable, "-m", "bgscaffold", "add", "task", *task]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@each_pattern
def test_lint_formatting_types_and_tests_are_green(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = with_tasks(rendered(pattern))
    newest.run(project, "ruff", "check", "--isolated")
    assert "Success: no issues found" in newest.run(project, "poe", "check")
    folders = [f"tests/{task[0].split('.')[0]}" for task in TASKS]
    assert " passed" in newest.test(project, *folders)


@each_pattern
def test_a_request_to_the_new_route_runs_the_task(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern)
    add(project, "invoices.send_reminder", "--route")
    add(project, "signup.purge", "--async", "--route")
    with newest.dev(project) as dev:
        reminder = dev.post("/invoices/7/send-reminder")
        purge = dev.post("/signup/8/purge")
        wait_for(dev, f"task invoices.send_reminder [{reminder}] succeeded")
        wait_for(dev, f"task signup.purge [{purge}] succeeded")


def wait_for(dev: Dev, line: str) -> None:
    """Wait until a process has printed a line."""
    until(lambda: line in dev.screen, lambda: f"{line}:\n{dev.screen}")


def test_names_that_mean_something_elsewhere(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery")
    functions = ("setup", "teardown", "load_tests", "fixture", "request", "app")
    domains = ("app", "test", "tests", "email", "logging", "fastapi", "router")
    names = [f"odd.{function}" for function in functions]
    names += [f"{domain}.tidy" for domain in domains]
    for name in names:
        add(project, name, "--route")
    folders = [f"tests/{domain}" for domain in ("odd", *domains)]
    assert f" {2 * len(names)} passed" in newest.test(project, *folders)
    assert "Success: no issues found" in newest.run(project, "poe", "check")
    report = newest.run(project, "celery", "--app", "app.background", "report")
    assert "broker_url" in report


def test_a_route_in_each_domain_of_a_project(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery", schedule=True, ai=True)
    routers = sorted(project.glob("app/*/router.py"))
    domains = [router.parent.name for router in routers] + ["maintenance"]
    assert {"actions", "chat", "documents", "signup"} <= set(domains)
    for domain in domains:
        add(project, f"{domain}.tidy", "--route")
    tests = [f"tests/{domain}/test_tidy.py" for domain in domains]
    assert f" {2 * len(tests)} passed" in newest.test(project, *tests)
    assert "Success: no issues found" in newest.run(project, "poe", "check")


def test_a_scheduled_task_is_clean_and_green(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("safe", schedule=True)
    schedule = ("--cron", "0 3 * * mon-fri", "--timezone", "Europe/Berlin")
    add(project, "night.tidy", "--route", *schedule)
    add(project, LONG, "--cron", "*/10 8-18 l 1-6 *", "--timezone", "UTC")
    assert " 3 passed" in newest.test(project, "tests/night", f"tests/{LONG[:30]}")
    assert "Success: no issues found" in newest.run(project, "poe", "check")


def test_every_pattern_gets_the_same_code(rendered: Render) -> None:
    domains = {task[0].split(".")[0] for task in TASKS}
    projects = [with_tasks(rendered(pattern, "none")) for pattern in helpers.PATTERNS]
    trees = [
        {
            path: content
            for path, content in helpers.tree(project).items()
            if is_in_domain(path, domains)
        }
        for project in projects
    ]
    assert trees[1:] == trees[:1] * 3
    assert f"tests/{'d' * 30}/test_{'n' * 30}.py" in trees[0]


def is_in_domain(path: str, domains: set[str]) -> bool:
    """Return whether a file of a project is in one of these domains."""
    top, *rest = path.split("/")
    return top in ("app", "tests") and rest[0] in domains

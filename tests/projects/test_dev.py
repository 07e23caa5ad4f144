"""`uv run poe dev`: the real processes, a real request, its effect, one Ctrl-C."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bgscaffold.verify.suite.waiting import TIMEOUT, until
from tests import helpers
from tests.projects.dev import Dev
from tests.projects.environments import Environment

Render = Callable[..., Path]


def assert_tasks_succeed(dev: Dev, pattern: str) -> None:
    """Send a request to each domain, and wait for the effect of its task."""
    signup = dev.post("/signup", email="ada@example.com")
    action = dev.post("/actions", action_name="sign in")
    assert "To: ada@example.com" in dev.read("var/mail/*.eml")
    assert dev.read("var/actions.log") == "sign in\n"
    if pattern in ("safe", "celery"):
        dev.wait_until_succeeded(signup)
        dev.wait_until_succeeded(action)


def assert_ctrl_c_ends_it(dev: Dev) -> None:
    """Press Ctrl-C once, and wait until every process has ended."""
    dev.press_ctrl_c()
    until(lambda: not dev.processes(), lambda: f"{dev.processes()}\n{dev.screen}", 15)


SCHEDULED_TASK = """\
from pathlib import Path

from afterward import task


@task("clock.tick", cron="* * * * * *")
def tick() -> None:
    with Path("ticks").open("a") as ticks:
        ticks.write("tick\\n")
"""


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_dev_serves_runs_scheduled_tasks_and_ends_with_one_ctrl_c(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern, schedule=True)
    add_domain(project, "clock", tasks=SCHEDULED_TASK)
    ticks = project / "ticks"
    with newest.dev(project) as dev:
        assert dev.get("/health/ready") == {"status": "ok", "degraded": []}
        assert_tasks_succeed(dev, pattern)
        until(
            lambda: ticks.exists() and ticks.read_text().count("tick") > 1,
            lambda: dev.screen,
        )
        assert_ctrl_c_ends_it(dev)


SLOW_TASK = """\
import time
from pathlib import Path

from afterward import task


@task("slow.work", retries=0)
def work() -> None:
    Path("begun").touch()
    time.sleep(4)
    Path("done").write_text("done")
"""
SLOW_ROUTER = """\
from fastapi import APIRouter

from app.background import BackgroundTasksDep
from app.slow.tasks import work

router = APIRouter()


@router.post("/slow", status_code=202)
def slow(background_tasks: BackgroundTasksDep) -> dict[str, str]:
    return {"task_id": background_tasks.add_task(work)}
"""


def add_domain(project: Path, name: str, **modules: str) -> None:
    """Add a domain package."""
    folder = project / "app" / name
    folder.mkdir()
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)


def start_slow_task(dev: Dev) -> None:
    """Enqueue a task that takes four seconds, and wait until it has begun."""
    dev.post("/slow")
    begun = dev.folder / "begun"
    until(begun.exists, lambda: f"the start of the task:\n{dev.screen}")


def test_one_ctrl_c_lets_a_running_task_finish(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery")
    add_domain(project, "slow", tasks=SLOW_TASK, router=SLOW_ROUTER)
    with newest.dev(project) as dev:
        start_slow_task(dev)
        assert_ctrl_c_ends_it(dev)
        assert (project / "done").exists(), dev.screen


@pytest.mark.parametrize("pattern", ["simple", "celery"])
def test_a_change_restarts_it_also_after_one_that_cannot_start(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern)
    tasks = project / "app" / "actions" / "tasks.py"
    text = tasks.read_text()
    with newest.dev(project) as dev:
        tasks.write_text("broken(\n")
        until(lambda: "Waiting for a change in app/." in dev.screen, lambda: dev.screen)
        tasks.write_text(text.replace("{action_name}", "{action_name.upper()}"))
        dev.follow(starts=2)
        dev.post("/actions", action_name="sign in")
        assert dev.read("var/actions.log") == "SIGN IN\n"
        assert_ctrl_c_ends_it(dev)


def has_restarted(dev: Dev, times: int) -> bool:
    """Return whether so many restarts have begun."""
    return dev.screen.count("app/ has changed: restarting") == times


def test_changes_during_a_restart_end_nothing(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery")
    with newest.dev(project) as dev:
        for times in range(1, 6):  # each but the first ends processes that still import
            (project / "app" / "actions" / "tasks.py").touch()
            until(partial(has_restarted, dev, times), lambda: dev.screen)
        dev.follow(starts=2)
        assert "ended with exit code" not in dev.screen
        assert_ctrl_c_ends_it(dev)


def test_ctrl_c_during_a_restart_lets_a_task_finish_and_starts_nothing(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("safe")
    add_domain(project, "slow", tasks=SLOW_TASK, router=SLOW_ROUTER)
    with newest.dev(project) as dev:
        start_slow_task(dev)
        (project / "app" / "slow" / "tasks.py").touch()
        until(lambda: "Shutting down" in dev.screen, lambda: dev.screen)
        assert_ctrl_c_ends_it(dev)
        assert (project / "done").exists(), dev.screen
        assert "restarting" not in dev.screen


def test_the_worker_and_beat_are_processes_and_the_api_shows_their_metrics(
    rendered: Render, newest: Environment
) -> None:
    with newest.dev(rendered("celery")) as dev:
        dev.wait_until_succeeded(dev.post("/actions", action_name="sign in"))
        labels = 'outcome="succeeded",task="actions.write_log"'
        assert f"task_attempts_total{{{labels}}} 1.0" in dev.text("/metrics")
        lines = list(dev.processes().values())
        for program in (
            "uvicorn app.main:app",
            " worker --loglevel",
            " beat --loglevel",
        ):
            assert any(program in line for line in lines), f"no {program} in {lines}"


def test_if_one_process_cannot_start_none_is_left(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery")
    add_domain(project, "broken", router="routes = []\n")
    with newest.terminal(project, "poe", "dev") as terminal:
        until(
            lambda: not terminal.processes(),
            lambda: f"{terminal.processes()}\n{terminal.screen}",
        )
        # The API and the worker read the domain. Either may fail first.
        ending = r"(api|worker) ended with exit code 1; the others were stopped\."
        assert re.search(ending, terminal.screen), terminal.screen


def test_a_beat_that_cannot_start_says_why_without_a_traceback(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery", schedule=True)
    command = ("env", "ENVIRONMENT=production", "poe", "beat")
    with newest.terminal(project, *command) as terminal:
        assert terminal.process.wait(TIMEOUT) == 1
        message = "StartupError: BROKER_URL is 'sqla+sqlite:///var/broker.db'"
        until(lambda: message in terminal.screen, lambda: terminal.screen)
        assert "Traceback" not in terminal.screen


def test_after_new_it_installs_itself(rendered: Render, bare: Environment) -> None:
    with bare.dev(rendered("celery")) as dev:
        assert_tasks_succeed(dev, "celery")

"""`uv run poe dev`: the real processes, a real request, the task's effect, one Ctrl-C."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bgscaffold.verify.suite.waiting import TIMEOUT, until
from tests import helpers
from tests.projects.dev import Dev
from tests.projects.environments import Environment

Render = Callable[..., Path]


def assert_tasks_are_done(dev: Dev, pattern: str) -> None:
    """Send a request to each domain, and see what its task does."""
    signup = dev.post("/signup", email="ada@example.com")
    action = dev.post("/actions", action_name="sign in")
    assert "To: ada@example.com" in dev.read("var/mail/*.eml")
    assert dev.read("var/actions.log") == "sign in\n"
    if pattern in ("safe", "celery"):
        dev.wait_until_succeeded(signup)
        dev.wait_until_succeeded(action)


def assert_ctrl_c_ends_it(dev: Dev) -> None:
    """Press Ctrl-C once, and see every process end."""
    dev.press_ctrl_c()
    until(lambda: not dev.processes(), lambda: f"{dev.processes()}\n{dev.screen}", timeout=15)


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_dev_serves_does_tasks_and_ends_with_one_ctrl_c(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    with newest.dev(rendered(pattern)) as dev:
        assert dev.get("/health/ready") == {"status": "ok", "degraded": []}
        assert_tasks_are_done(dev, pattern)
        assert_ctrl_c_ends_it(dev)


SLOW_TASK = """\
import time
from pathlib import Path

from app.background import task


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


def add_slow_task(project: Path) -> None:
    """Add a domain whose task takes four seconds."""
    (project / "app" / "slow").mkdir()
    (project / "app" / "slow" / "tasks.py").write_text(SLOW_TASK)
    (project / "app" / "slow" / "router.py").write_text(SLOW_ROUTER)


SCHEDULED_TASK = """\
from pathlib import Path

from app.background import task


@task("clock.tick", cron="* * * * * *")
def tick() -> None:
    with Path("ticks").open("a") as ticks:
        ticks.write("tick\\n")
"""


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_dev_runs_tasks_by_the_clock_and_none_after_ctrl_c(
    pattern: str, rendered: Render, newest: Environment
) -> None:
    project = rendered(pattern, schedule=True)
    (project / "app" / "clock").mkdir()
    (project / "app" / "clock" / "tasks.py").write_text(SCHEDULED_TASK)
    ticks = project / "ticks"
    with newest.dev(project) as dev:
        until(
            lambda: ticks.exists() and ticks.read_text().count("tick") > 1, lambda: str(dev.screen)
        )
        assert_ctrl_c_ends_it(dev)


def test_one_ctrl_c_lets_a_running_task_finish(rendered: Render, newest: Environment) -> None:
    project = rendered("celery")
    add_slow_task(project)
    with newest.dev(project) as dev:
        dev.post("/slow")
        until((project / "begun").exists, lambda: f"the start of the task:\n{dev.screen}")
        assert_ctrl_c_ends_it(dev)
        assert (project / "done").exists(), dev.screen


@pytest.mark.parametrize("pattern", ["simple", "celery"])
def test_a_change_starts_it_again_also_after_one_that_cannot_start(
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


def has_started_again(dev: Dev, times: int) -> bool:
    """Tell whether it has begun to start again so many times."""
    return dev.screen.count("app/ has changed: starting again") == times


def test_changes_while_it_starts_again_end_nothing(rendered: Render, newest: Environment) -> None:
    project = rendered("celery")
    with newest.dev(project) as dev:
        for times in range(1, 6):  # each but the first ends processes that still import
            (project / "app" / "actions" / "tasks.py").touch()
            until(partial(has_started_again, dev, times), lambda: dev.screen)
        dev.follow(starts=2)
        assert "ended by itself" not in dev.screen
        assert_ctrl_c_ends_it(dev)


def test_ctrl_c_while_it_starts_again_lets_a_task_finish_and_starts_nothing(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("safe")
    add_slow_task(project)
    with newest.dev(project) as dev:
        dev.post("/slow")
        until((project / "begun").exists, lambda: f"the start of the task:\n{dev.screen}")
        (project / "app" / "slow" / "tasks.py").touch()
        until(lambda: "Shutting down" in dev.screen, lambda: dev.screen)
        assert_ctrl_c_ends_it(dev)
        assert (project / "done").exists(), dev.screen
        assert "starting again" not in dev.screen


def test_the_api_shows_the_metrics_of_the_worker(rendered: Render, newest: Environment) -> None:
    with newest.dev(rendered("celery")) as dev:
        dev.wait_until_succeeded(dev.post("/actions", action_name="sign in"))
        counted = 'task_attempts_total{outcome="succeeded",task="actions.write_log"} 1.0'
        assert counted in dev.text("/metrics")


def test_when_one_process_cannot_start_none_is_left(rendered: Render, newest: Environment) -> None:
    project = rendered("celery")
    (project / "app" / "broken").mkdir()
    (project / "app" / "broken" / "router.py").write_text("routes = []\n")
    with newest.terminal(project, "poe", "dev") as terminal:
        until(
            lambda: not terminal.processes(), lambda: f"{terminal.processes()}\n{terminal.screen}"
        )
        assert "api ended by itself, with 1; the others were stopped." in terminal.screen


def test_the_worker_and_beat_are_processes_of_their_own(
    rendered: Render, newest: Environment
) -> None:
    with newest.dev(rendered("celery")) as dev:
        dev.wait_until_succeeded(dev.post("/actions", action_name="sign in"))
        lines = list(dev.processes().values())
        for program in ("uvicorn app.main:app", " worker --loglevel", " beat --loglevel"):
            assert any(program in line for line in lines), f"no {program} in {lines}"


def test_what_keeps_beat_from_starting_is_told_without_a_traceback(
    rendered: Render, newest: Environment
) -> None:
    project = rendered("celery", schedule=True)
    with newest.terminal(project, "env", "ENVIRONMENT=production", "poe", "beat") as terminal:
        assert terminal.process.wait(TIMEOUT) == 1
        refusal = "app.refusals.RefusesToStart: BROKER_URL is 'sqla+sqlite:///var/broker.db', the"
        until(lambda: f"\n{refusal} embedded broker" in terminal.screen, lambda: terminal.screen)
        assert "Traceback" not in terminal.screen


def test_right_after_new_it_installs_itself(rendered: Render, bare: Environment) -> None:
    with bare.dev(rendered("celery")) as dev:
        assert_tasks_are_done(dev, "celery")


def test_two_hundred_tasks_are_each_done_once(rendered: Render, newest: Environment) -> None:
    with newest.dev(rendered("celery")) as dev:
        names = [f"action {n}" for n in range(200)]
        ids = [dev.post("/actions", action_name=name) for name in names]
        for task_id in ids:
            dev.wait_until_succeeded(task_id)
        assert Counter(dev.read("var/actions.log").splitlines()) == Counter(names)

"""Celery's part: messages only wake workers up."""

import ast
from pathlib import Path

import pytest
from sqlalchemy import update

from app.actions.tasks import write_log
from app.background import background_tasks, publisher, worker
from app.background.celery_app import celery_app
from app.background.outbox import now
from app.background.settings import settings
from app.background.table import task_runs
from app.background.task import TASKS
from app.database import sync_engine
from tests.servers import Project

CONTRACT = Path(__file__).parent / "contract"


def test_worker_and_api_know_the_same_tasks(tmp_path: Path) -> None:
    with Project(tmp_path / "project", CONTRACT) as project:
        known = project.run(
            "-c",
            "import app.main; from app.background.task import TASKS; api = sorted(TASKS)\n"
            "from app.background.worker import celery_app\n"
            "print([api, [n for n in sorted(celery_app.tasks) if not n.startswith('celery.')]])",
        )
    api, in_worker = ast.literal_eval(known.stdout)
    assert "contract.note" in api
    assert "actions.write_log" in api
    assert in_worker == sorted([*api, "background.clean"])


def test_beat_schedules_only_what_the_worker_knows() -> None:
    scheduled = {entry["task"] for entry in celery_app.conf.beat_schedule.values()}
    assert scheduled == {"background.clean"}
    assert scheduled <= set(celery_app.tasks)


def test_a_message_that_arrives_twice_runs_once(
    migrated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.actions.tasks.settings.action_log", tmp_path / "log")
    with background_tasks() as tasks:
        task_id = tasks.add_task(write_log, "once")
    worker.execute(task_id, 0)
    worker.execute(task_id, 0)
    worker.execute(task_id, 1)
    assert (tmp_path / "log").read_text() == "once\n"


@pytest.fixture
def empty(migrated: None) -> None:
    """Empty the outbox."""
    with sync_engine().begin() as connection:
        connection.execute(task_runs.delete())


def enqueue(count: int) -> None:
    """Enqueue tasks, and publish nothing."""
    with background_tasks() as tasks:
        for _ in range(count):
            tasks.add_task(write_log, "never run")


def publish() -> int:
    """Mark as published what is due, and return how many messages that is."""
    return len(publisher._take())


def test_each_row_is_published_once_and_the_window_holds(
    empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "publish_window", 3)
    monkeypatch.setattr(publisher.publisher, "wake", lambda: None)
    enqueue(5)
    assert [publish(), publish()] == [3, 0]


def test_a_lost_message_is_sent_again_after_a_wait_that_doubles(
    empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher.publisher, "wake", lambda: None)
    enqueue(1)
    waits = []
    for _ in range(7):
        with sync_engine().begin() as connection:
            [marked] = connection.execute(publisher._mark_published(1).returning(task_runs))
            waits.append(round((marked.publish_again_at - marked.published_at).total_seconds()))
            connection.execute(update(task_runs).values(publish_again_at=now()))
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_while_the_broker_is_down_tasks_are_accepted_and_later_done(tmp_path: Path) -> None:
    with Project(tmp_path / "project", CONTRACT) as project:
        good = project.env.get("BROKER_URL", "")
        project.env["BROKER_URL"] = "redis://127.0.0.1:1/0"  # nothing listens there
        project.start("api")
        assert project.post("/contract/notes/async/later").status_code == 202
        project.kill("api")
        project.env["BROKER_URL"] = good
        project.start("worker")  # its own sweep publishes: no API is needed
        assert sorted(project.wait_for_marks("later", 2)) == ["later async", "later def"]


def test_the_embedded_broker_is_refused_in_production(tmp_path: Path) -> None:
    with Project(tmp_path / "project", ENVIRONMENT="production", BROKER_URL="") as project:
        started = project.run("-c", "import app.main")
    assert started.returncode == 1
    assert "BROKER_URL is 'sqla+sqlite:///var/broker.db', the embedded broker" in started.stderr


def test_every_registered_task_has_the_same_body() -> None:
    assert {celery_app.tasks[name].run for name in TASKS} == {worker.execute}

"""Celery's part: messages only wake workers up."""

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from signal import SIGUSR1
from threading import Event, Thread
from typing import Any

import httpx2
import pytest
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError
from sqlalchemy import event, select, update

from app.actions.tasks import write_log
from app.background import (
    background_tasks,
    embedded_broker,
    messages,
    publisher,
    shutdown,
    upkeep,
    worker,
)
from app.background.celery_app import celery_app
from app.background.outbox import now
from app.background.settings import BackgroundSettings, settings
from app.background.table import task_runs
from app.background.task import TASKS
from app.database import sync_engine
from app.signup.tasks import send_welcome
from tests.servers import Project, wait_for




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
    """Enqueue tasks."""
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
    enqueue(5)
    assert [publish(), publish()] == [3, 0]


def test_a_backlog_in_one_queue_stops_no_other(
    empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "publish_window", 2)
    slow = replace(TASKS["signup.send_welcome"], options={"queue": "slow"})
    monkeypatch.setitem(TASKS, "signup.send_welcome", slow)
    with background_tasks() as tasks:
        for _ in range(3):
            tasks.add_task(send_welcome, "ada@example.com")
        tasks.add_task(write_log, "never run")
    sent = [[found.name for found in publisher._take()] for _ in range(2)]
    assert [sorted(names) for names in sent] == [
        ["actions.write_log", "signup.send_welcome", "signup.send_welcome"],
        [],
    ]
    with sync_engine().begin() as connection:
        is_announced = task_runs.c.publish_again_at.is_not(None)
        connection.execute(update(task_runs).where(is_announced).values(state="cancelled"))
    assert publish() == 1


def test_a_time_limit_interrupts_a_task_and_not_what_notes_its_outcome() -> None:
    shutdown._child.at_time_limit(SIGUSR1, None)
    with pytest.raises(SoftTimeLimitExceeded), shutdown.interruptible():
        shutdown._child.at_time_limit(SIGUSR1, None)




def test_a_lost_message_is_sent_again_after_a_wait_that_doubles(empty: None) -> None:
    enqueue(1)
    waits = []
    for _ in range(7):
        with sync_engine().begin() as connection:
            [marked] = connection.execute(messages.mark(1, TASKS).returning(task_runs))
            waits.append(round((marked.publish_again_at - marked.published_at).total_seconds()))
            connection.execute(update(task_runs).values(publish_again_at=now()))
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_a_message_of_a_time_that_is_still_to_come_is_sent_again(empty: None) -> None:
    enqueue(2)
    assert publish() == 2
    with sync_engine().begin() as connection:
        [first, _] = connection.execute(select(task_runs.c.id))
        before = {"published_at": now() + timedelta(hours=1)}  # the clock was set back
        connection.execute(update(task_runs).where(task_runs.c.id == first.id).values(before))
    assert [publish(), publish()] == [1, 0]


def test_what_a_broker_that_is_down_refuses_is_published_later(
    empty: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enqueue(3)
    with monkeypatch.context() as down:
        refused = Celery(broker="redis://127.0.0.1:1/0")  # nothing listens there
        refused.conf.update(task_publish_retry_policy=celery_app.conf.task_publish_retry_policy)
        down.setattr(publisher, "celery_app", refused)
        publisher.publish_due()
    assert "the broker does not answer" in caplog.text
    assert publish() == 3


def test_who_is_woken_again_and_again_looks_for_the_dead_once(
    empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    monkeypatch.setattr(upkeep, "report_buried", looks.append)
    monkeypatch.setattr(settings, "task_sweep", 60)
    monkeypatch.setattr(publisher.publisher, "swept", time.monotonic() - 60)
    for _ in range(3):
        publisher.publish_due()
    assert looks == [[]]


def test_the_embedded_broker_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = BackgroundSettings(broker_url="sqla+sqlite:///var/broker.db")
    embedded.refuse_embedded_broker_in_production()
    monkeypatch.setattr("app.background.settings.app_settings.environment", "production")
    with pytest.raises(RuntimeError, match="'sqla.sqlite:///var/broker.db', the embedded broker"):
        embedded.refuse_embedded_broker_in_production()


@pytest.mark.parametrize(
    "url",
    ["rediss://:pa%23ss@host:6379/0?ssl_cert_reqs=none", "amqp://one:5672//;amqp://two:5672//"],
)
def test_brokers_that_are_supported(url: str) -> None:
    assert BackgroundSettings(broker_url=url).broker_url == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("kafka://host", "kafka:..."),
        ("redis://host:port/0", "redis:..."),
        ("redis://:se#cret@host/0", "redis:..."),
        ("amqp://one:5672//;amqp://two:70000//", "amqp:..."),
        ("secret@host", "it"),
    ],
)
def test_others_are_refused_and_their_passwords_not_shown(url: str, told: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        BackgroundSettings(broker_url=url)
    [error] = refusal.value.errors()
    allowed = "redis://HOST:PORT/0 or amqp://HOST:PORT//"
    assert error["msg"] == f"Value error, {told} is not {allowed}"


@pytest.mark.parametrize("port", [-1, 70_000])
def test_metrics_are_shown_on_a_port_that_there_can_be(port: int) -> None:
    with pytest.raises(ValidationError, match=r"worker_metrics_port\n  Input should be (gr|l)"):
        BackgroundSettings(worker_metrics_port=port)


def test_processes_that_start_together_share_the_embedded_broker(tmp_path: Path) -> None:
    """Kombu's own transport fails when another process creates the queue at the same moment."""
    url = f"sqla+sqlite:///{tmp_path}/broker.db"
    embedded_broker.prepare(url)
    with Celery(broker=url).connection() as connection:
        session = connection.default_channel.session

        def create_it_first(*_: object) -> None:
            with closing(sqlite3.connect(tmp_path / "broker.db", isolation_level=None)) as other:
                other.execute("INSERT INTO kombu_queue (name) VALUES ('shared')")

        event.listen(session, "before_flush", create_it_first, once=True)
        queue = connection.SimpleQueue("shared")
        queue.put("here")
        assert queue.get(timeout=1).payload == "here"


def test_a_task_is_sent_to_its_queue(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "actions.write_log"
    monkeypatch.setitem(TASKS, name, replace(TASKS[name], options={"queue": "slow"}))
    with background_tasks() as tasks:
        task_id = tasks.add_task(write_log, "never run")
    publisher.publish_due()
    with celery_app.connection_for_read() as connection:
        arguments, *_ = connection.SimpleQueue("tasks.slow").get(timeout=5).payload
    assert arguments == [task_id, 0]










@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # has threads, and forks
def test_no_process_is_forked_while_a_thread_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, forked, order = Event(), Event(), []

    def take() -> list[Any]:
        begun.set()
        forked.wait(0.2)  # in vain
        order.append("published")
        return []

    monkeypatch.setattr(publisher, "_take", take)
    publishing = Thread(target=publisher.publish_due)
    publishing.start()
    begun.wait()
    if (pid := os.fork()) == 0:
        os._exit(0)
    order.append("forked")
    forked.set()
    publishing.join()
    assert os.waitpid(pid, 0)[1] == 0
    assert order == ["published", "forked"]


def test_every_registered_task_has_the_same_body() -> None:
    assert {celery_app.tasks[name].run for name in TASKS} == {worker.execute}

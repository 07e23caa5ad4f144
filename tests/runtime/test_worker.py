"""Celery's part: messages only wake workers up."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from signal import SIGALRM, SIGUSR1
from threading import Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from celery import Celery as CeleryApp
from celery import signals
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError

from afterward import Background
from afterward.backends.celery_ import Celery
from afterward.database import Database
from afterward.errors import StartupError
from afterward.outbox import maintenance, wakeups
from afterward.outbox.models import now, row, task_runs
from afterward.settings import Settings
from afterward.tasks import TASKS
from afterward.workers import setup, shutdown, transports
from afterward.workers.app import create_celery_app
from afterward.workers.execute import Executor
from afterward.workers.publisher import Publisher
from tests.runtime.helpers import AddTask, Outbox, nothing, run_of, wait_for

lines: list[str] = []


@pytest.fixture(autouse=True)
def no_lines() -> None:
    """Forget what ran in other tests."""
    lines.clear()


@pytest.fixture
def app(settings: Settings) -> Iterator[CeleryApp]:
    """Return the Celery application, on the embedded broker."""
    app = create_celery_app()
    yield app
    app.close()


@pytest.fixture
def publisher(database: Database, app: CeleryApp) -> Publisher:
    """Return a publisher without a thread."""
    return Publisher(database, app)


@pytest.fixture
def executor(database: Database) -> Iterator[Executor]:
    """Return what the tasks of a pool process call."""
    executor = Executor(database)
    yield executor
    if executor._loop:
        executor._loop.close()


def write(line: str) -> None:
    """Write a line."""
    lines.append(line)


async def write_async(line: str) -> None:
    """Write a line, from an `async def` task."""
    lines.append(line)


async def fail() -> None:
    """Fail."""
    raise ConnectionError("down")


def exceed_the_time_limit() -> None:
    """Get what Celery's soft time limit raises."""
    raise SoftTimeLimitExceeded


def get_interrupted() -> None:
    """Get what the end of the grace period raises."""
    shutdown._process.handle_sigalrm(SIGALRM, None)


def reserve(publisher: Publisher) -> list[Any]:
    """Mark as published what is due."""
    return publisher._reserve_batch()


@pytest.mark.parametrize("func", [write, write_async])
def test_a_message_that_arrives_twice_runs_once(
    outbox: Outbox, executor: Executor, add_task: AddTask, func: Any
) -> None:
    [task_id] = outbox.insert(run_of(add_task(func), "once"))
    for attempts in (0, 0, 1):
        executor.execute(task_id, attempts)
    assert (lines, outbox.states(task_id)) == (["once"], ["succeeded"])


def test_a_failing_task_is_retried_and_then_dead(
    outbox: Outbox, executor: Executor, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task(fail, retries=1)))
    executor.execute(task_id, 0)
    assert outbox.states(task_id) == ["retrying"]
    executor.execute(task_id, 1)
    found = outbox.stored(task_id)
    assert (found.state, found.error) == ("dead", "ConnectionError: down")


@pytest.mark.parametrize(
    ("func", "state", "error", "released"),
    [
        (exceed_the_time_limit, "dead", "TimeoutError", 0),
        (get_interrupted, "pending", None, 1),
    ],
)
def test_an_interruption_is_a_timeout_or_a_release(
    outbox: Outbox,
    executor: Executor,
    add_task: AddTask,
    func: Any,
    state: str,
    error: str | None,
    released: int,
) -> None:
    [task_id] = outbox.insert(run_of(add_task(func, retries=0)))
    executor.execute(task_id, 0)
    found = outbox.stored(task_id)
    assert (found.state, found.error, found.released) == (state, error, released)


def test_an_async_def_task_is_cancelled_on_request(
    outbox: Outbox, executor: Executor, add_task: AddTask, settings: Settings
) -> None:
    import asyncio

    settings.task_sweep = 0.02

    async def wait() -> None:
        outbox.update(task_id, cancel_requested=True)
        await asyncio.Event().wait()

    [task_id] = outbox.insert(run_of(add_task(wait)))
    executor.execute(task_id, 0)
    assert outbox.states(task_id) == ["cancelled"]


def test_async_def_tasks_of_a_process_share_an_event_loop(
    outbox: Outbox, executor: Executor, add_task: AddTask
) -> None:
    import asyncio

    loops = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    task = add_task(note)
    for task_id in outbox.insert(run_of(task), run_of(task)):
        executor.execute(task_id, 0)
    assert (len(loops), len(set(loops))) == (2, 1)


def test_the_signals_of_a_busy_process_wait_for_its_task() -> None:
    process = shutdown._PoolProcess()
    process.handle_time_limit(SIGUSR1, None)  # nothing runs, so nothing is raised
    process.handle_sigalrm(SIGALRM, None)
    with pytest.raises(shutdown.Interrupted):
        process.handle_sigterm(15, None)
    process.runs_task = True
    with pytest.raises(SoftTimeLimitExceeded):
        process.handle_time_limit(SIGUSR1, None)
    with pytest.raises(shutdown.Interrupted):
        process.handle_sigalrm(SIGALRM, None)


def test_a_busy_process_that_is_terminated_leaves_when_its_task_has_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.shutdown_grace = 100
    process = shutdown._PoolProcess()
    monkeypatch.setattr(shutdown, "_process", process)
    timers: list[float] = []
    monkeypatch.setattr("signal.setitimer", lambda _which, s: timers.append(s))

    def work() -> None:
        with shutdown.deferring_signals():
            process.handle_sigterm(15, None)
            lines.append("worked")

    with pytest.raises(shutdown.Interrupted):
        work()
    assert (lines, timers) == (["worked"], [100])


def test_a_time_limit_interrupts_a_task_and_not_the_write_of_its_outcome() -> None:
    shutdown._process.handle_time_limit(SIGUSR1, None)
    with pytest.raises(SoftTimeLimitExceeded), shutdown.allowing_interrupt():
        shutdown._process.handle_time_limit(SIGUSR1, None)


def test_each_row_is_published_once_and_the_window_holds(
    outbox: Outbox, publisher: Publisher, add_task: AddTask, settings: Settings
) -> None:
    settings.publish_window = 3
    task = add_task()
    outbox.insert(*(run_of(task) for _ in range(5)))
    assert [len(reserve(publisher)), len(reserve(publisher))] == [3, 0]


def test_wake_ups_are_sent_by_priority(
    outbox: Outbox, publisher: Publisher, add_task: AddTask
) -> None:
    task = add_task()
    low, high = outbox.insert(
        run_of(task, priority="low"), run_of(task, priority="high")
    )
    assert [found.id for found in reserve(publisher)] == [high, low]


def test_a_backlog_in_one_queue_stops_no_other(
    outbox: Outbox, publisher: Publisher, add_task: AddTask, settings: Settings
) -> None:
    settings.publish_window = 2
    slow, fast = add_task(name="test.slow", queue="slow"), add_task(name="test.fast")
    outbox.insert(*(run_of(slow) for _ in range(3)), run_of(fast))
    sent = [sorted(found.name for found in reserve(publisher)) for _ in range(2)]
    assert sent == [["test.fast", "test.slow", "test.slow"], []]
    is_sent = row.publish_again_at.is_not(None)
    outbox.execute(task_runs.update().where(is_sent).values(state="cancelled"))
    assert len(reserve(publisher)) == 1


def test_a_lost_message_is_sent_again_after_a_wait_that_doubles(
    outbox: Outbox, add_task: AddTask
) -> None:
    add_task()
    [task_id] = outbox.insert(run_of(TASKS["test.run"]))
    waits = []
    for _ in range(7):
        outbox.database.execute(wakeups.mark_published(1, TASKS))
        found = outbox.stored(task_id)
        wait = found.publish_again_at - found.published_at
        waits.append(round(wait.total_seconds()))
        outbox.update(task_id, publish_again_at=now())
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_a_message_from_the_future_is_sent_again(
    outbox: Outbox, publisher: Publisher, add_task: AddTask
) -> None:
    task = add_task()
    first, _ = outbox.insert(run_of(task), run_of(task))
    assert len(reserve(publisher)) == 2
    outbox.update(first, published_at=now() + timedelta(hours=1))  # clock set back
    assert [len(reserve(publisher)), len(reserve(publisher))] == [1, 0]


def test_what_a_broker_that_is_down_refuses_is_published_later(
    outbox: Outbox, add_task: AddTask, caplog: pytest.LogCaptureFixture
) -> None:
    task = add_task()
    outbox.insert(*(run_of(task) for _ in range(3)))
    down = CeleryApp(broker="redis://127.0.0.1:1/0")  # nobody listens there
    down.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.1}
    publisher = Publisher(outbox.database, down)
    publisher.publish_due()
    assert "the broker does not answer" in caplog.messages
    assert (publisher.broker_answers, len(reserve(publisher))) == (False, 3)


def test_a_publisher_that_is_woken_often_sweeps_once(
    publisher: Publisher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps: list[object] = []
    monkeypatch.setattr(maintenance, "report_orphans", sweeps.append)
    settings.task_sweep = 60
    publisher._last_sweep = time.monotonic() - 60
    for _ in range(3):
        publisher.publish_due()
    assert sweeps == [[]]


def test_the_thread_publishes_what_it_is_woken_for(
    outbox: Outbox, publisher: Publisher, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task()))
    publisher.wake()
    wait_for(lambda: outbox.stored(task_id).publishes == 1, "the wake-up")
    publisher.stop()
    assert publisher._thread is None


def test_an_outage_of_the_database_is_logged_and_followed_by_a_pause(
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    execute, failures = publisher._database.execute, [Exception("down")]

    def fail_once(*statements: Any) -> Any:
        if failures:
            raise sa.exc.OperationalError("SELECT", {}, failures.pop())
        return execute(*statements)

    monkeypatch.setattr(publisher._database, "execute", fail_once)
    publisher.publish_due()
    publisher.publish_due()
    assert pauses == [2.0]  # until the holders of leases have renewed them
    message = "cannot read the outbox: (builtins.Exception) down; trying again"
    assert caplog.messages == [message]


def test_a_task_is_sent_to_its_queue(
    outbox: Outbox, publisher: Publisher, add_task: AddTask, app: CeleryApp
) -> None:
    [task_id] = outbox.insert(run_of(add_task(queue="slow")))
    publisher.publish_due()
    with app.connection_for_read() as connection:
        arguments, *_ = connection.SimpleQueue("tasks.slow").get(timeout=5).payload
        connection.default_channel.close()
    assert arguments == [task_id, 0]


@pytest.fixture
def backend(database: Database, settings: Settings) -> Iterator[Celery]:
    """Return a backend that is connected to an application."""
    backend = Celery()
    Background(
        backend,
        engine=lambda: database.engine,
        sync_engine=lambda: database.sync_engine,
        domains="tests.runtime.applications.domains",
    )
    yield backend
    backend.app.close()


def test_tasks_are_registered_when_celery_imports_modules_and_not_before(
    backend: Celery, add_task: AddTask
) -> None:
    add_task(nothing, "test.thread", timeout=2, queue="slow")
    add_task(write_async, "test.loop", timeout=2)
    own = {"test.thread", "test.loop"}
    assert not own & set(backend.app.tasks)
    signals.import_modules.send(sender=backend.app)
    registered = set(backend.app.tasks)
    assert {name for name in registered if "celery." not in name} == set(TASKS)
    limits = {
        name: (
            backend.app.tasks[name].soft_time_limit,
            backend.app.tasks[name].time_limit,
        )
        for name in own
    }
    assert limits == {"test.thread": (2, 12), "test.loop": (None, None)}
    assert {queue.name for queue in backend.app.conf.task_queues} == {
        "tasks",
        "tasks.slow",
    }
    assert {backend.app.tasks[name].run.__qualname__ for name in TASKS} == {
        "_register_tasks.<locals>.execute"
    }


def test_the_worker_prepares_its_database_and_sweeps(
    backend: Celery, outbox: Outbox, add_task: AddTask, tmp_path: Path
) -> None:
    [task_id] = outbox.insert(run_of(add_task()))
    [sweeper] = [
        step for step in backend.app.steps["worker"] if step.__name__ == "Sweeper"
    ]

    class Worker:
        hostname = "celery@host"
        pool = None

    sweeper.sweep(Worker())
    assert outbox.stored(task_id).publishes == 1
    assert (tmp_path / "var" / "celery@host.alive").exists()


def test_celery_does_not_log_what_it_thinks_of_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import logging

    monkeypatch.setattr(logging.root, "handlers", [])
    setup._configure_logging()
    assert logging.getLogger("celery.app.trace").level == logging.WARNING


def test_the_embedded_broker_is_refused_in_production(settings: Settings) -> None:
    settings.require_production_broker()
    settings.environment = "production"
    message = "BROKER_URL is 'sqla.sqlite:///.*/broker.db', the embedded broker"
    with pytest.raises(StartupError, match=message):
        settings.require_production_broker()


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:pa%23ss@host:6379/0?ssl_cert_reqs=none",
        "amqp://one:5672//;amqp://two:5672//",
    ],
)
def test_supported_brokers(url: str) -> None:
    assert Settings(broker_url=url).broker_url == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://host", "kafka:..."),
        ("redis://host:port/0", "redis:..."),
        ("redis://:se#cret@host/0", "redis:..."),
        ("amqp://one:5672//;amqp://two:70000//", "amqp:..."),
        ("secret@host", "The value"),
    ],
)
def test_other_brokers_are_refused_without_their_passwords(
    url: str, shown: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(broker_url=url)
    [error] = refused.value.errors()
    allowed = "redis://HOST:PORT/0 or amqp://HOST:PORT//"
    assert error["msg"] == f"Value error, {shown} is not {allowed}"


@pytest.mark.parametrize("port", [-1, 70_000])
def test_metrics_need_a_valid_port(port: int) -> None:
    message = r"worker_metrics_port\n  Input should be (gr|l)"
    with pytest.raises(ValidationError, match=message):
        Settings(worker_metrics_port=port)


def test_processes_that_start_together_share_the_embedded_broker(
    tmp_path: Path,
) -> None:
    """Kombu's own transport fails when two processes create a queue at one moment."""
    url = f"sqla+sqlite:///{tmp_path}/broker.db"
    assert transports.prepare(url) == {}
    with CeleryApp(broker=url).connection() as connection:
        channel = connection.default_channel

        def create_it_first(*_: object) -> None:
            file = sqlite3.connect(tmp_path / "broker.db", isolation_level=None)
            with closing(file) as other:
                other.execute("INSERT INTO kombu_queue (name) VALUES ('shared')")

        sa.event.listen(channel.session, "before_flush", create_it_first, once=True)
        queue = connection.SimpleQueue("shared")
        queue.put("here")
        assert queue.get(timeout=1).payload == "here"
        channel.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_no_process_is_forked_while_a_thread_publishes(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, forked, order = Event(), Event(), []

    def reserve_batch() -> list[Any]:
        began.set()
        forked.wait(0.2)  # in vain
        order.append("published")
        return []

    monkeypatch.setattr(publisher, "_reserve_batch", reserve_batch)
    publishing = Thread(target=publisher.publish_due)
    publishing.start()
    began.wait()
    if (pid := os.fork()) == 0:
        os._exit(0)
    order.append("forked")
    forked.set()
    publishing.join()
    assert os.waitpid(pid, 0)[1] == 0
    assert order == ["published", "forked"]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_a_forked_process_has_connections_and_a_publisher_of_its_own(
    publisher: Publisher, database: Database
) -> None:
    database.execute(sa.text("SELECT 1"))
    pool = database.sync_engine.pool
    publisher.start(sweep=None)
    if (pid := os.fork()) == 0:
        is_new = publisher._thread is None and database.sync_engine.pool is not pool
        database.execute(sa.text("SELECT 1"))
        os._exit(0 if is_new else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert (publisher._thread is None, database.sync_engine.pool is pool) == (
        False,
        True,
    )
    publisher.stop()
    database.execute(sa.text("SELECT 1"))  # the connection of the parent still works

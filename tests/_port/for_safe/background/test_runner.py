"""The drain of the pattern safe, when the grace is over and tasks still run."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from inspect import signature
from threading import Event
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Update, select
from sqlalchemy.orm import Session

from app.actions.tasks import write_log
from app.background import background_tasks, enqueue
from app.background.backend import backend
from app.background.lease import leases
from app.background.outbox import row
from app.background.runner import Runner
from app.background.settings import settings
from app.background.table import Claim, task_runs
from app.background.task import TASKS, Task, TaskRun
from app.database import sync_engine
from tests.servers import PATIENCE, wait_for

begun, gate = Event(), Event()


async def wait_for_ever() -> None:
    """Wait on the event loop."""
    begun.set()
    await asyncio.Event().wait()


def wait_for_the_gate() -> None:
    """Wait in a thread."""
    gate.wait()


def insert(task: Task) -> str:
    """Insert a task run that is due."""
    run = TaskRun(str(uuid4()), task, [], {})
    with Session(sync_engine()) as session, session.begin():
        enqueue.insert(session, [run])
    return run.task_id


def stand(*task_ids: str) -> list[tuple[str, int]]:
    """Return the states of task runs, and how many of their attempts do not count."""
    with sync_engine().connect() as connection:
        found = {r.id: (r.state, r.released) for r in connection.execute(select(task_runs))}
    return [found[task_id] for task_id in task_ids]


@pytest.mark.usefixtures("migrated")
def test_at_the_end_of_the_grace_a_coroutine_is_released_and_a_thread_keeps_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task_ids = []
    for name, func in (("drain.loop", wait_for_ever), ("drain.thread", wait_for_the_gate)):
        monkeypatch.setitem(TASKS, name, Task(name, func, signature(func), {}))
        task_ids.append(insert(TASKS[name]))
    monkeypatch.setattr(settings, "shutdown_grace", 0)

    async def serve_and_drain() -> None:
        runner = Runner()
        serving = asyncio.create_task(runner.serve())
        both_run = [("running", 0)] * 2
        await asyncio.to_thread(wait_for, lambda: stand(*task_ids) == both_run, "both tasks to run")
        await runner.drain(serving)
        gate.set()

    asyncio.run(serve_and_drain())
    assert stand(*task_ids) == [("pending", 1), ("running", 1)]
    delete(*task_ids)


@pytest.mark.usefixtures("migrated")
def test_the_drain_releases_what_it_meets_in_the_middle_of_a_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = Task("drain.loop", wait_for_ever, signature(wait_for_ever), {})
    monkeypatch.setitem(TASKS, "drain.loop", task)
    monkeypatch.setattr(settings, "shutdown_grace", 0)
    task_id = insert(task)

    async def drain_within_a_claim() -> None:
        runner = Runner()
        claimed, drained = asyncio.Event(), asyncio.Event()

        async def claim(start: Callable[..., Update], *arguments: Any) -> list[Claim]:
            found = await claim_at_once(start, *arguments)
            if found:
                claimed.set()
                await drained.wait()
            return found

        claim_at_once = runner._claimed
        monkeypatch.setattr(runner, "_claimed", claim)
        serving = asyncio.create_task(runner.serve())
        await claimed.wait()
        draining = asyncio.create_task(runner.drain(serving))
        await asyncio.sleep(0)
        assert stand(task_id) == [("running", 0)]
        drained.set()
        await draining

    asyncio.run(drain_within_a_claim())
    assert stand(task_id) == [("pending", 1)]
    delete(task_id)


@pytest.mark.usefixtures("migrated")
def test_who_is_cancelled_without_a_drain_is_released_too(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("drain.loop", wait_for_ever, signature(wait_for_ever), {})
    monkeypatch.setitem(TASKS, "drain.loop", task)
    task_id = insert(task)

    async def serve_until_torn_down() -> None:
        runner = Runner()
        asyncio.create_task(runner.serve())  # as is the loop, it is torn down
        await asyncio.to_thread(begun.wait, PATIENCE)

    begun.clear()
    asyncio.run(serve_until_torn_down())  # at its end it cancels whatever still runs
    assert stand(task_id) == [("pending", 1)]
    delete(task_id)


async def leave() -> None:
    """Raise what no error handler expects."""
    raise GeneratorExit


@pytest.mark.usefixtures("migrated")
def test_no_lease_is_kept_for_a_task_that_has_ended_oddly(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("drain.odd", leave, signature(leave), {})
    monkeypatch.setitem(TASKS, "drain.odd", task)
    task_id = insert(task)

    async def serve() -> None:
        runner = Runner()
        serving = asyncio.create_task(runner.serve())
        ended = asyncio.Event()
        monkeypatch.setattr(leases, "drop", lambda claim: ended.set())
        await ended.wait()
        await runner.drain(serving)

    asyncio.run(serve())
    delete(task_id)


def test_before_its_response_a_task_is_nobody_elses(client: TestClient) -> None:
    task_ids = [client.post("/actions", json={"action_name": "x"}).json()["task_id"]]
    with background_tasks() as tasks:
        task_ids.append(tasks.add_task(write_log, "x"))
    starts = [found.due_at - found.created_at for found in rows(*task_ids)]
    assert starts == [timedelta(seconds=settings.task_lease), timedelta(0)]
    delete(*task_ids)


def test_what_a_full_process_has_no_room_for_is_everybodys(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "runner", SimpleNamespace(is_full=True))
    [task_id] = [client.post("/actions", json={"action_name": "x"}).json()["task_id"]]
    [found] = rows(task_id)
    assert found.due_at < found.created_at + timedelta(seconds=settings.task_lease)
    delete(task_id)


def rows(*task_ids: str) -> list[Any]:
    """Return the rows of task runs, in this order."""
    with sync_engine().connect() as connection:
        found = {r.id: r for r in connection.execute(select(task_runs))}
    return [found[task_id] for task_id in task_ids]


def delete(*task_ids: str) -> None:
    """Delete the rows of task runs."""
    with sync_engine().begin() as connection:
        connection.execute(task_runs.delete().where(row.id.in_(task_ids)))

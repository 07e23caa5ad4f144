"""The runner of pattern safe: it claims, executes, cancels, drains and releases."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from afterward.outbox.claims import ClaimedRun
from afterward.outbox.heartbeat import Heartbeat
from afterward.runner.runner import Runner
from afterward.settings import Settings
from tests.runtime.helpers import TIMEOUT, AddTask, Outbox, run_of, wait_for

started, gate = Event(), Event()


@pytest.fixture(autouse=True)
def closed_gate() -> None:
    """Close the gate that `def` tasks wait at."""
    started.clear()
    gate.clear()


async def wait_forever() -> None:
    """Wait on the event loop."""
    started.set()
    await asyncio.Event().wait()


def wait_at_the_gate() -> None:
    """Wait in a thread."""
    started.set()
    gate.wait(TIMEOUT)


async def fail() -> None:
    """Fail."""
    raise ConnectionError("down")


async def cancel_itself() -> None:
    """Look cancelled."""
    raise asyncio.CancelledError


async def exit_oddly() -> None:
    """Raise what no error handler expects."""
    raise GeneratorExit


def serve(
    outbox: Outbox, until: Callable[[Runner], Awaitable[Any]], concurrency: int = 4
) -> None:
    """Run a runner until a coroutine ends, and drain it."""

    async def serve_and_drain() -> None:
        heartbeat = Heartbeat(outbox.database)
        runner = Runner(outbox.database, heartbeat, concurrency)
        serving = asyncio.create_task(runner.serve())
        await until(runner)
        await runner.drain(serving)
        gate.set()

    asyncio.run(serve_and_drain())


def reach(outbox: Outbox, *expected: tuple[str, str]) -> Callable[[Runner], Any]:
    """Return a coroutine that waits until task runs are in these states."""
    ids = [task_id for task_id, _ in expected]
    states = [state for _, state in expected]

    async def wait(_runner: Runner) -> None:
        await asyncio.to_thread(
            wait_for, lambda: outbox.states(*ids) == states, f"states {states}"
        )

    return wait


def test_both_kinds_of_task_run_and_one_that_fails_stops_no_other(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    gate.set()
    failing = add_task(fail, "test.fail", retries=0)
    working = add_task(wait_at_the_gate, "test.thread")
    failed, succeeded = outbox.insert(run_of(failing), run_of(working))
    serve(outbox, reach(outbox, (failed, "dead"), (succeeded, "succeeded")))
    found = outbox.stored(failed)
    assert (found.error, found.attempts) == ("ConnectionError: down", 1)
    assert found.traceback.startswith("Traceback (most recent call last):")


def test_a_failed_attempt_is_retried_after_its_backoff(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    settings.task_backoff = 0.01
    settings.task_sweep = 60  # so it is the backoff that wakes the runner
    [task_id] = outbox.insert(run_of(add_task(fail, retries=2)))
    serve(outbox, reach(outbox, (task_id, "dead")))
    assert outbox.stored(task_id).attempts == 3


def test_a_task_that_cancels_itself_has_failed(
    outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task(cancel_itself, retries=0)))
    serve(outbox, reach(outbox, (task_id, "dead")))
    assert outbox.stored(task_id).error == "asyncio.exceptions.CancelledError"


def test_an_async_def_task_is_cancelled_on_request(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    settings.task_sweep = 0.02
    [task_id] = outbox.insert(run_of(add_task(wait_forever)))

    async def cancel(runner: Runner) -> None:
        await asyncio.to_thread(started.wait, TIMEOUT)
        await asyncio.to_thread(outbox.update, task_id, cancel_requested=True)
        await reach(outbox, (task_id, "cancelled"))(runner)

    serve(outbox, cancel)
    assert outbox.stored(task_id).error is None


def test_a_def_task_ignores_a_request_to_cancel(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    settings.task_sweep = 0.02
    [task_id] = outbox.insert(run_of(add_task(wait_at_the_gate)))

    async def cancel(runner: Runner) -> None:
        await asyncio.to_thread(started.wait, TIMEOUT)
        await asyncio.to_thread(outbox.update, task_id, cancel_requested=True)
        await asyncio.to_thread(
            wait_for, lambda: not runner._heartbeat._cancel, "the request to arrive"
        )
        gate.set()
        await reach(outbox, (task_id, "succeeded"))(runner)

    serve(outbox, cancel)


def test_a_task_over_its_timeout_fails(outbox: Outbox, add_task: AddTask) -> None:
    [task_id] = outbox.insert(run_of(add_task(wait_forever, retries=0, timeout=0.02)))
    serve(outbox, reach(outbox, (task_id, "dead")))
    assert outbox.stored(task_id).error == "TimeoutError"


def test_at_most_so_many_tasks_run_at_a_time(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    task = add_task(wait_forever)
    outbox.insert(run_of(task), run_of(task), run_of(task))
    settings.shutdown_grace = 0

    async def two_run(runner: Runner) -> None:
        await asyncio.to_thread(wait_for, lambda: runner.is_full, "a full runner")
        assert len(runner._running) == 2
        assert sorted(found.state for found in outbox.rows()) == [
            "pending",
            "running",
            "running",
        ]

    serve(outbox, two_run, concurrency=2)


def test_a_request_that_wakes_the_runner_does_not_wait_for_a_sweep(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    settings.task_sweep = 60
    gate.set()
    task = add_task(wait_at_the_gate)

    async def enqueue_and_wake(runner: Runner) -> None:
        run = run_of(task)  # inserted as in a request: only this process may claim it
        await asyncio.to_thread(outbox.insert, run, head_start=settings.lease)
        runner.wake([run])
        await reach(outbox, (run.task_id, "succeeded"))(runner)

    serve(outbox, enqueue_and_wake)


def test_an_orphaned_run_is_resumed_and_one_without_attempts_left_is_dead(
    outbox: Outbox, add_task: AddTask
) -> None:
    gate.set()
    task = add_task(wait_at_the_gate, retries=1)
    resumed, crashed = outbox.insert(run_of(task), run_of(task))
    for task_id, attempts in ((resumed, 1), (crashed, 2)):
        for _ in range(attempts):
            outbox.claim(task_id)
            outbox.end_lease(task_id)
    serve(outbox, reach(outbox, (resumed, "succeeded"), (crashed, "dead")))
    assert outbox.stored(resumed).attempts == 2


def test_when_the_grace_is_over_a_coroutine_is_released_and_a_thread_keeps_its_lease(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    settings.shutdown_grace = 0
    loop = add_task(wait_forever, "drain.loop")
    thread = add_task(wait_at_the_gate, "drain.thread")
    ids = outbox.insert(run_of(loop), run_of(thread))
    running = [(task_id, "running") for task_id in ids]
    serve(outbox, reach(outbox, *running))
    found = [(each.state, each.released) for each in outbox.rows(*ids)]
    assert found == [("pending", 1), ("running", 1)]


def test_the_drain_releases_what_is_claimed_meanwhile(
    outbox: Outbox,
    add_task: AddTask,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.shutdown_grace = 0
    [task_id] = outbox.insert(run_of(add_task(wait_forever)))

    async def drain_within_a_claim() -> None:
        runner = Runner(outbox.database, Heartbeat(outbox.database), 4)
        claimed, draining = asyncio.Event(), asyncio.Event()
        start_at_once = runner._start

        async def start(
            statement: Callable[..., sa.Update], *arguments: Any
        ) -> list[ClaimedRun]:
            found = await start_at_once(statement, *arguments)
            if found:
                claimed.set()
                await draining.wait()
            return found

        monkeypatch.setattr(runner, "_start", start)
        serving = asyncio.create_task(runner.serve())
        await claimed.wait()
        drain = asyncio.create_task(runner.drain(serving))
        await asyncio.sleep(0)
        assert outbox.states(task_id) == ["running"]
        draining.set()
        await drain

    asyncio.run(drain_within_a_claim())
    found = outbox.stored(task_id)
    assert (found.state, found.released) == ("pending", 1)


def test_a_task_that_is_cancelled_without_a_drain_is_released_too(
    outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task(wait_forever)))

    async def serve_until_torn_down() -> None:
        runner = Runner(outbox.database, Heartbeat(outbox.database), 4)
        serving = asyncio.create_task(runner.serve())
        await asyncio.to_thread(started.wait, TIMEOUT)
        assert not serving.done()

    asyncio.run(serve_until_torn_down())  # at its end it cancels what still runs
    found = outbox.stored(task_id)
    assert (found.state, found.released) == ("pending", 1)


def test_no_lease_is_kept_for_a_task_that_has_ended_oddly(
    outbox: Outbox, add_task: AddTask
) -> None:
    outbox.insert(run_of(add_task(exit_oddly)))
    untracked: list[str] = []

    async def wait_for_the_end(runner: Runner) -> None:
        heartbeat = runner._heartbeat
        untrack = heartbeat.untrack

        def note(claim: ClaimedRun) -> None:
            untracked.append(claim.run.task_id)
            untrack(claim)

        heartbeat.untrack = note  # type: ignore[method-assign]
        await asyncio.to_thread(wait_for, lambda: untracked, "the end of the lease")
        assert heartbeat._claims == {}

    serve(outbox, wait_for_the_end)


def test_an_outcome_is_written_when_the_database_is_back(
    outbox: Outbox,
    add_task: AddTask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate.set()
    [task_id] = outbox.insert(run_of(add_task(wait_at_the_gate)))
    execute = outbox.database.execute_async
    failures: list[Exception] = [
        sa.exc.OperationalError("UPDATE", {}, Exception("down")),
        ValueError("odd"),
    ]

    async def fail_twice(statement: Any) -> Any:
        is_outcome = "finished_at" in str(statement) and "RETURNING" not in str(
            statement
        )
        if is_outcome and failures:
            raise failures.pop(0)
        return await execute(statement)

    monkeypatch.setattr(outbox.database, "execute_async", fail_twice)
    serve(outbox, reach(outbox, (task_id, "succeeded")))
    retried = [text for text in caplog.messages if "cannot write" in text]
    outcome = f"cannot write the outcome of task test.run [{task_id}]"
    assert retried == [
        f"{outcome}: (builtins.Exception) down; trying again",
        f"{outcome}; trying again",
    ]


def test_after_an_outage_the_runner_waits_until_leases_are_renewed(
    outbox: Outbox,
    add_task: AddTask,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate.set()
    settings.task_sweep = 0.01
    [task_id] = outbox.insert(run_of(add_task(wait_at_the_gate)))
    monkeypatch.setattr(Settings, "recovery_pause", 0.05)
    execute = outbox.database.execute_async
    statements: list[str] = []

    async def fail_once(statement: Any) -> Any:
        statements.append(str(statement))
        if len(statements) == 1:
            raise sa.exc.OperationalError("SELECT", {}, Exception("down"))
        return await execute(statement)

    monkeypatch.setattr(outbox.database, "execute_async", fail_once)
    serve(outbox, reach(outbox, (task_id, "succeeded")))
    assert "CASE" in statements[1]  # rows that wait too long are reset first
    assert caplog.messages[0] == (
        "cannot read the outbox: (builtins.Exception) down; trying again"
    )

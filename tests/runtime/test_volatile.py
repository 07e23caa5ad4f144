"""Patterns simple and async: tasks in the web process, and what a shutdown does to them."""

import asyncio
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from afterward.backends.async_ import Async
from afterward.backends.simple import Simple
from afterward.observability import attempts
from afterward.observability.attempts import Failure, on_failure
from afterward.settings import Settings
from afterward.tasks import TaskRun
from tests.runtime.helpers import TIMEOUT, AddTask, run_of, wait_for

BACKENDS = [Simple, Async]
Backend = Simple | Async
started: list[str] = []
ended: list[str] = []
gate = Event()


@pytest.fixture(autouse=True)
def nothing_has_run() -> None:
    """Forget what ran in other tests."""
    started.clear()
    ended.clear()
    gate.clear()


async def work(name: str, seconds: float) -> None:
    """Take a while."""
    started.append(name)
    await asyncio.sleep(seconds)
    ended.append(name)


def wait_at_the_gate(name: str) -> None:
    """Wait in a thread."""
    started.append(name)
    gate.wait(TIMEOUT)
    ended.append(name)


async def fail(name: str) -> None:
    """Fail, in one of several ways."""
    started.append(name)
    errors: dict[str, BaseException] = {
        "exit": SystemExit(1),
        "cancel": asyncio.CancelledError(),
        "error": ValueError("wrong"),
    }
    raise errors[name]


async def serve(backend: Backend, *runs: TaskRun) -> None:
    """Start task runs while an application serves, then stop it."""
    async with backend.lifespan():
        for run in runs:
            backend.start([run])
        await asyncio.to_thread(
            wait_for, lambda: len(started) == len(runs), "the start of all tasks"
        )


@pytest.mark.parametrize("backend_class", BACKENDS)
@pytest.mark.parametrize(
    ("grace", "finished"), [(5.0, ["long", "short"]), (0.1, ["short"])]
)
def test_tasks_finish_within_the_grace_and_what_is_cut_off_is_named(
    backend_class: type[Backend],
    grace: float,
    finished: list[str],
    add_task: AddTask,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.shutdown_grace = grace
    task = add_task(work)
    short, long = run_of(task, "short", 0.01), run_of(task, "long", 0.5)
    asyncio.run(serve(backend_class(), short, long))
    assert sorted(ended) == finished
    cut_off = [text for text in caplog.messages if "cut off" in text]
    named = [f"task {long} was cut off by the shutdown"]
    assert cut_off == ([] if "long" in finished else named)


@pytest.mark.parametrize("backend_class", BACKENDS)
def test_a_failing_task_stops_no_other_and_hooks_see_it(
    backend_class: type[Backend], add_task: AddTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_HOOKS", [])
    failures: list[Failure] = []

    @on_failure
    def broken(_failure: Failure) -> None:
        raise RuntimeError("the hook itself fails")

    on_failure(failures.append)
    on_failure(failures.append)  # registered once
    task = add_task(fail)
    runs = [run_of(task, name) for name in ("exit", "cancel", "error")]
    asyncio.run(serve(backend_class(), *runs))
    wait_for(lambda: len(failures) == 3, "three failures")
    found = {
        (each.task_id, type(each.error), each.outcome, each.attempt)
        for each in failures
    }
    errors = (SystemExit, asyncio.CancelledError, ValueError)
    assert found == {
        (run.task_id, error, "failed", 1)
        for run, error in zip(runs, errors, strict=True)
    }


def test_the_tasks_of_a_request_run_in_order_under_simple(add_task: AddTask) -> None:
    task = add_task(work)
    runs = [run_of(task, "first", 0.05), run_of(task, "second", 0)]
    asyncio.run(Simple().start_after_response(runs))
    assert (started, ended) == (["first", "second"], ["first", "second"])


def test_at_most_task_concurrency_tasks_run_at_a_time_under_async(
    add_task: AddTask, settings: Settings
) -> None:
    settings.task_concurrency = 2
    task = add_task(wait_at_the_gate)
    runs = [run_of(task, str(n)) for n in range(5)]

    async def serve_and_look() -> None:
        backend = Async()
        async with backend.lifespan():
            backend.start(runs)
            await asyncio.to_thread(wait_for, lambda: len(started) == 2, "two starts")
            assert backend._slots.locked()
            gate.set()

    asyncio.run(serve_and_look())
    assert (len(started), len(ended)) == (5, 5)


@pytest.mark.parametrize("backend_class", BACKENDS)
def test_a_task_may_enqueue_another_one_while_the_server_drains(
    backend_class: type[Backend], add_task: AddTask, settings: Settings
) -> None:
    backend = backend_class()
    second = run_of(add_task(work), "second", 0)

    async def enqueue(name: str) -> None:
        started.append(name)
        await asyncio.sleep(0.05)
        backend.start([second])
        await asyncio.sleep(0.05)
        ended.append(name)

    asyncio.run(serve(backend, run_of(add_task(enqueue, "test.chain"), "first")))
    assert sorted(ended) == ["first", "second"]


@pytest.mark.parametrize("backend_class", BACKENDS)
def test_a_script_runs_its_tasks_before_its_process_ends(
    backend_class: type[Backend], tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    names = {"module": backend_class.__module__, "name": backend_class.__name__}
    script.write_text(SCRIPT.format(**names))
    done = run_script(script)
    printed = done.stdout.splitlines()
    assert (printed[:1], sorted(printed[1:])) == (["enqueued"], ["async", "def"])
    assert done.returncode == 0


SCRIPT = """
import time
from afterward import Background, task
from {module} import {name}

background = Background({name}())

@task("script.sync")
def sync():
    time.sleep(0.1)
    print("def", flush=True)

@task("script.coroutine")
async def coroutine():
    print("async", flush=True)

with background.tasks() as tasks:
    tasks.add_task(sync)
    tasks.add_task(coroutine)
    print("enqueued", flush=True)
"""


def run_script(script: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that imports afterward."""
    from tests.helpers import ROOT

    return subprocess.run(
        [sys.executable, script],
        env={"PYTHONPATH": str(ROOT / "template"), "ENVIRONMENT": "development"},
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_a_def_task_over_its_timeout_is_logged_and_continues(
    add_task: AddTask, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(add_task(wait_at_the_gate, timeout=0.01), "late")
    late = f"task {run} exceeds its timeout; it continues, because a thread cannot be"

    async def open_gate_when_late() -> None:
        running = asyncio.create_task(Simple().start_after_response([run]))
        await asyncio.to_thread(
            wait_for, lambda: any(late in text for text in caplog.messages), late
        )
        gate.set()
        await running

    asyncio.run(open_gate_when_late())
    assert ended == ["late"]

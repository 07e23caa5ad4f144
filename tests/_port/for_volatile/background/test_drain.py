"""The drain: tasks finish within the grace, and what is cut off is named."""

import asyncio
from inspect import signature
from uuid import uuid4

import pytest

from app.background.backend import backend
from app.background.settings import settings
from app.background.task import Task, TaskRun
from tests.servers import wait_for

started: list[str] = []
ended: list[str] = []


async def work(name: str, seconds: float) -> None:
    """Take a while."""
    started.append(name)
    await asyncio.sleep(seconds)
    ended.append(name)


def run(name: str, seconds: float) -> TaskRun:
    """Return a call of this task."""
    return TaskRun(str(uuid4()), Task("drain.work", work, signature(work), {}), [name, seconds], {})


async def serve(*runs: TaskRun) -> None:
    """Start the tasks while the application serves, then stop it."""
    async with backend.lifespan():
        for each in runs:
            backend.start([each])
        await asyncio.to_thread(wait_for, lambda: len(started) == len(runs), "their start")


@pytest.mark.parametrize(("grace", "finished"), [(5.0, ["long", "short"]), (0.2, ["short"])])
def test_tasks_finish_within_the_grace_and_what_is_cut_off_is_named(
    grace: float,
    finished: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    started.clear()
    ended.clear()
    monkeypatch.setattr(settings, "shutdown_grace", grace)
    short, long = run("short", 0.01), run("long", 0.5)
    asyncio.run(serve(short, long))
    assert sorted(ended) == finished
    cut_off = [r.getMessage() for r in caplog.records if "cut off" in r.getMessage()]
    expected = [] if "long" in finished else [f"task {long} was cut off by the shutdown"]
    assert cut_off == expected

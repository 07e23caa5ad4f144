"""A project without schedules says so, instead of never running the task."""

import asyncio
import re
from inspect import signature

import pytest

from app import main
from app.background.task import TASKS, Task
from app.main import lifespan


def nothing() -> None:
    """Do nothing."""


def test_a_task_with_a_schedule_stops_the_start(
    migrated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly = Task("x.y", nothing, signature(nothing), {"cron": "0 3 * * *"})
    monkeypatch.setitem(TASKS, "x.y", nightly)

    async def start() -> None:
        async with lifespan(main.app):
            pass

    refusal = (
        "task 'x.y' declares cron='0 3 * * *', which a project without schedules cannot do."
        " Remove it, or give it some: bgscaffold update --with-schedule"
    )
    with pytest.raises(RuntimeError, match=f"^{re.escape(refusal)}$"):
        asyncio.run(start())

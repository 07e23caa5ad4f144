"""Old task runs are deleted while the server runs, every hour."""

import asyncio
from threading import Event

import pytest

from app.background import backend, schedule
from tests.servers import wait_for


def test_cleaning_begins_with_the_server_and_survives_an_error(
    migrated: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned = Event()

    def fail() -> None:
        cleaned.set()
        raise ConnectionError("the database is down")

    async def start_and_stop() -> None:
        async with schedule.lifespan():
            assert await asyncio.to_thread(cleaned.wait, 5)
            await asyncio.to_thread(wait_for, lambda: caplog.messages, "the line in the log")

    monkeypatch.setattr(backend, "delete_old_task_runs", fail)
    asyncio.run(start_and_stop())
    assert caplog.messages == ["old task runs cannot be deleted; trying again in an hour"]

"""Tests of the domain `actions`: a task that is called, and what its route enqueues."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from afterward.testing import Enqueued
from app.actions.tasks import write_log
from app.settings import settings


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a log that does not exist yet."""
    monkeypatch.setattr(settings, "action_log", tmp_path / "new" / "actions.log")
    return settings.action_log


def test_the_task_appends_one_line(log: Path) -> None:
    write_log("sign in")  # 1. call it: a task is a plain function
    write_log("abmelden ✓")
    assert log.read_text(encoding="utf-8") == "sign in\nabmelden ✓\n"


def test_the_route_enqueues_the_task(client: TestClient, enqueued: Enqueued) -> None:
    response = client.post("/actions", json={"action_name": "sign in"})
    assert (response.status_code, list(response.json())) == (202, ["task_id"])
    assert enqueued == [("actions.write_log", ["sign in"], {})]  # 2. nothing runs


@pytest.mark.parametrize("name", ["", "two\nlines", "x" * 201])
def test_only_a_single_line_is_accepted(
    client: TestClient, enqueued: Enqueued, name: str
) -> None:
    assert client.post("/actions", json={"action_name": name}).status_code == 422
    assert enqueued == []

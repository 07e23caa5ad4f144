"""The domain `actions`."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.actions.tasks import write_log
from app.settings import settings
from tests.servers import Project, wait_for

Calls = list[tuple[str, list[Any], dict[str, Any]]]


def test_the_route_enqueues_the_task(client: TestClient, enqueued: Calls) -> None:
    answer = client.post("/actions", json={"action_name": "sign in"})
    assert (answer.status_code, list(answer.json())) == (202, ["task_id"])
    assert enqueued == [("actions.write_log", ["sign in"], {})]


@pytest.mark.parametrize("name", ["", "two\nlines", "x" * 201])
def test_a_name_that_is_no_single_line_is_refused(
    client: TestClient, enqueued: Calls, name: str
) -> None:
    assert client.post("/actions", json={"action_name": name}).status_code == 422
    assert enqueued == []


def test_the_task_appends_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "action_log", tmp_path / "new" / "actions.log")
    write_log("first")
    write_log("zweite ✓")
    assert settings.action_log.read_text(encoding="utf-8") == "first\nzweite ✓\n"


def test_the_real_server_does_it(server: Project) -> None:
    log = server.folder / "var" / "actions.log"
    assert server.post("/actions", json={"action_name": "for real"}).status_code == 202
    wait_for(lambda: log.exists() and log.read_text() == "for real\n", "the line in the log")

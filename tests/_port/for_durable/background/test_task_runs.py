"""Task runs as a caller and an administrator see them: keys, delays, progress, cancel, retry, lists."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.settings import settings
from tests.servers import Project, wait_for


def post(server: Project, path: str, **headers: str) -> tuple[int, Any]:
    """Send a request, and return the status of the answer and what it says."""
    answer = server.post(f"/contract/{path}", headers=headers)
    return answer.status_code, answer.json()


def test_the_same_key_is_the_same_task_run_under_any_race(server: Project) -> None:
    send = [lambda: server.post("/contract/notes/async/raced", headers=KEY).json()] * 8
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda call: call(), send))
    assert answers == [answers[0]] * 8
    assert len(set(answers[0])) == 2
    for task_id in answers[0]:
        assert server.status(task_id)["attempts"] == 1
    assert sorted(server.marks("raced")) == ["raced async", "raced def"]


KEY = {"Idempotency-Key": str(uuid4())}


def test_the_same_key_with_other_arguments_is_refused(server: Project) -> None:
    path, key = "options/first", str(uuid4())
    code, task_id = post(server, f"{path}?key={key}")
    assert (code, server.status(task_id)["state"]) == (202, "succeeded")
    assert post(server, f"{path}?key={key}") == (202, task_id)
    code, problem = post(server, f"options/second?key={key}")
    assert code == 422
    assert problem["detail"] == (
        f"The idempotency key {key!r} was used for 'contract.note' with other arguments."
        " Send the same ones, or another key."
    )
    assert server.marks("second") == []


def test_two_callers_do_not_share_a_key(server: Project) -> None:
    headers = {"Idempotency-Key": "mine"}
    path = "notes/async/callers"
    ada = post(server, path, Authorization="Bearer ada", **headers)
    bob = post(server, path, Authorization="Bearer bob", **headers)
    assert ada != bob
    assert post(server, path, Authorization="Bearer ada", **headers) == ada


def test_a_delayed_task_waits(server: Project) -> None:
    _, task_id = post(server, "options/delayed?delay=0.1")
    assert server.status(task_id, "pending")["run_at"] > server.status(task_id)["created_at"]
    found = server.status(task_id, "succeeded")
    assert found["started_at"] >= found["run_at"]


def test_what_waits_is_cancelled_at_once(server: Project) -> None:
    _, task_id = post(server, "options/cancelled?delay=3600")
    answer = server.post(f"/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    again = server.post(f"/tasks/{task_id}/cancel")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        f"Task run {task_id} is cancelled; this needs one that is open.",
    )


def test_progress_is_shown_and_an_async_def_task_is_cancelled_while_it_runs(
    server: Project,
) -> None:
    _, task_id = post(server, "wait-async/never")
    server.wait_for_marks("waiting never")
    wait_for(lambda: server.status(task_id, "running")["progress"], "the progress")
    assert server.status(task_id, "running")["progress_note"] == "half way"
    assert server.post(f"/tasks/{task_id}/cancel").json()["cancel_requested"] is True
    found = server.status(task_id)
    assert (found["state"], found["progress"]) == ("cancelled", 0.5)


def test_a_def_task_that_is_cancelled_runs_on_and_shows_the_request(server: Project) -> None:
    _, task_id = post(server, "wait/cancelled-gate")
    server.wait_for_marks("waiting cancelled-gate")
    server.post(f"/tasks/{task_id}/cancel")
    assert server.status(task_id, "running")["cancel_requested"] is True
    server.open_gate("cancelled-gate")
    assert server.status(task_id)["state"] == "succeeded"


def test_a_dead_task_run_begins_anew_with_all_its_retries(server: Project) -> None:
    _, task_id = post(server, "flaky/reborn?failures=3")
    assert server.status(task_id, "dead")["error"] == "ConnectionError: reborn"
    assert server.post(f"/tasks/{task_id}/retry").json()["state"] == "pending"
    found = server.status(task_id, "succeeded")
    assert (found["attempts"], found["error"]) == (4, None)
    assert server.post(f"/tasks/{task_id}/retry").status_code == 409


def test_the_list_has_pages_and_filters(server: Project) -> None:
    ids = [post(server, "show")[1] for _ in range(5)]
    for task_id in ids:
        server.status(task_id, "succeeded")
    listed: list[str] = []
    query = "?name=contract.show&state=succeeded&limit=2"
    page = server.get(f"/tasks{query}").json()
    while len(listed) < 5:
        listed += [each["task_id"] for each in page["tasks"]]
        page = server.get(f"/tasks{query}&cursor={page['cursor']}").json()
    assert listed[:5] == ids[::-1]
    assert server.get("/tasks?state=lost").status_code == 422


@pytest.mark.parametrize(
    "cursor",
    [
        "no JSON",
        "[" * 20_000,
        '["2026-05-04T03:02:01Z", 5]',
        '["9999-12-31T23:59:59-14:00", "0d1f4c86-0000-4000-8000-000000000000"]',
    ],
)
def test_a_cursor_that_no_page_has_given_is_refused(server: Project, cursor: str) -> None:
    answer = server.get(f"/tasks?cursor={urlsafe_b64encode(cursor.encode()).decode()}")
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith("is not one that a page has given.")


def test_a_name_that_no_task_can_have_is_refused(server: Project) -> None:
    assert server.get("/tasks?name=%00").status_code == 422


def test_events_tell_of_each_change_until_the_end(server: Project) -> None:
    _, task_id = post(server, "wait-async/told")
    server.wait_for_marks("waiting told")
    states = []
    for line in server.lines(f"/tasks/{task_id}/events"):
        if line.startswith("data: "):
            states.append(json.loads(line.removeprefix("data: "))["state"])
            server.open_gate("told")
    assert states[0] == "running"
    assert states[-1] == "succeeded"
    assert server.get(f"/tasks/{uuid4()}/events").status_code == 404


@pytest.fixture
def with_token(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a client of an application that has an administrator."""
    monkeypatch.setattr(settings, "admin_token", SecretStr("grün€"))
    yield client


@pytest.mark.parametrize(
    ("authorization", "code"), [("Bearer grün€", 200), ("Bearer blau", 401), ("", 401)]
)
def test_only_the_bearer_of_the_token_lists(
    with_token: TestClient, authorization: str, code: int
) -> None:
    sent = {b"Authorization": authorization.encode()}
    assert with_token.get("/tasks", headers=sent).status_code == code


def test_without_a_token_production_shows_no_details(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = client.post("/actions", json={"action_name": "secret"}).json()["task_id"]
    assert "secret" in client.get(f"/tasks/{task_id}").text
    monkeypatch.setattr(settings, "environment", "production")
    assert "arguments" not in client.get(f"/tasks/{task_id}").json()
    for method, path in (
        ("GET", ""),
        ("POST", f"/{task_id}/retry"),
        ("POST", f"/{task_id}/cancel"),
    ):
        refused = client.request(method, f"/tasks{path}")
        assert (refused.status_code, refused.json()["detail"]) == (
            403,
            "This is off until ADMIN_TOKEN is set.",
        )

"""Task runs: keys, delays, progress, cancel, retry, lists and events."""

import json
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.needs("durable")


def test_the_same_key_is_the_same_run_even_at_the_same_time(server: Server) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    send = [lambda: server.enqueue("notes/async/raced", headers=key)] * 8
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda call: call(), send))
    assert answers == [answers[0]] * 8
    assert len(set(answers[0])) == 2
    for task_id in answers[0]:
        assert server.status(task_id)["attempts"] == 1
    assert sorted(server.marks("raced")) == ["raced async", "raced def"]


def test_the_same_key_with_other_arguments_is_refused(server: Server) -> None:
    path, key = "options/first", str(uuid4())
    task_id = server.enqueue(f"{path}?key={key}")
    assert server.status(task_id)["state"] == "succeeded"
    assert server.enqueue(f"{path}?key={key}") == task_id
    answer = server.ask(f"options/second?key={key}")
    message = (
        f"The idempotency key {key!r} was used for 'bgscaffold_contract.note' with"
        " other arguments. Send the same arguments, or use another key."
    )
    assert (answer.status_code, answer.json()) == (422, {"detail": message})
    assert server.marks("second") == []


def test_two_callers_do_not_share_a_key(server: Server) -> None:
    headers = {"Idempotency-Key": "mine"}
    ada, bob = ({"Authorization": f"Bearer {name}"} for name in ("ada", "bob"))
    path = "notes/async/callers"
    first = server.enqueue(path, headers=headers | ada)
    assert server.enqueue(path, headers=headers | bob) != first
    assert server.enqueue(path, headers=headers | ada) == first


def test_a_delayed_task_waits(server: Server) -> None:
    task_id = server.enqueue("options/delayed?delay=0.1")
    found = server.status(task_id)
    assert found["run_at"] > found["created_at"]
    assert found["started_at"] >= found["run_at"]


def test_a_waiting_run_is_cancelled_at_once(server: Server) -> None:
    task_id = server.enqueue("options/cancelled?delay=3600")
    answer = server.post(f"/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    again = server.post(f"/tasks/{task_id}/cancel")
    message = f"Task run {task_id} is cancelled. This needs a run that is open."
    assert (again.status_code, again.json()["detail"]) == (409, message)


def test_an_async_def_task_shows_progress_and_is_cancelled(server: Server) -> None:
    task_id = server.enqueue("wait-async/never")
    server.wait_for_marks("waiting never")

    def progress() -> tuple[float | None, str | None]:
        found = server.status(task_id, "running")
        return found["progress"], found["progress_note"]

    until(lambda: progress() == (0.5, "half way"), lambda: f"{progress()}")
    assert server.post(f"/tasks/{task_id}/cancel").json()["cancel_requested"] is True
    found = server.status(task_id)
    assert (found["state"], found["progress"]) == ("cancelled", 0.5)


def test_a_def_task_that_is_cancelled_continues(server: Server) -> None:
    task_id = server.enqueue("wait/cancelled-gate")
    server.wait_for_marks("waiting cancelled-gate")
    server.post(f"/tasks/{task_id}/cancel")
    assert server.status(task_id, "running")["cancel_requested"] is True
    server.open_gate("cancelled-gate")
    assert server.status(task_id)["state"] == "succeeded"


def test_a_dead_run_starts_again_with_all_its_retries(server: Server) -> None:
    task_id = server.enqueue("flaky/flaky?failures=3")
    assert server.status(task_id, "dead")["error"] == "ConnectionError: flaky"
    assert server.post(f"/tasks/{task_id}/retry").json()["state"] == "pending"
    found = server.status(task_id, "succeeded")
    assert (found["attempts"], found["error"]) == (4, None)
    assert server.post(f"/tasks/{task_id}/retry").status_code == 409


def test_the_list_has_pages_and_filters(server: Server) -> None:
    ids = [server.enqueue("show") for _ in range(5)]
    for task_id in ids:
        server.status(task_id, "succeeded")
    listed: list[str] = []
    query = "?name=bgscaffold_contract.show&state=succeeded&limit=2"
    page = server.get(f"/tasks{query}").json()
    while len(listed) < 5:
        listed += [each["task_id"] for each in page["tasks"]]
        page = server.get(f"/tasks{query}&cursor={page['cursor']}").json()
    assert listed[:5] == ids[::-1]


@pytest.mark.parametrize("query", ["state=lost", "name=%00", "limit=0"])
def test_a_filter_that_matches_nothing_possible_is_refused(
    server: Server, query: str
) -> None:
    assert server.get(f"/tasks?{query}").status_code == 422


@pytest.mark.parametrize(
    "position",
    [
        "no JSON",
        "[" * 20_000,
        '["2026-05-04T03:02:01Z", 5]',
        '["9999-12-31T23:59:59-14:00", "0d1f4c86-0000-4000-8000-000000000000"]',
    ],
    ids=["text", "deep", "number", "date"],
)
def test_a_cursor_that_is_not_from_a_page_is_refused(
    server: Server, position: str
) -> None:
    cursor = urlsafe_b64encode(position.encode()).decode()
    answer = server.get(f"/tasks?cursor={cursor}")
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith("is not a cursor of a page.")


def test_events_show_each_change_until_the_end(server: Server) -> None:
    task_id = server.enqueue("wait-async/evented")
    server.wait_for_marks("waiting evented")
    states = []
    for line in server.lines(f"/tasks/{task_id}/events"):
        if line.startswith("data: "):
            states.append(json.loads(line.removeprefix("data: "))["state"])
            server.open_gate("evented")
    assert (states[0], states[-1]) == ("running", "succeeded")


def test_an_unknown_run_is_a_404(server: Server) -> None:
    unknown = uuid4()
    for path in (f"/tasks/{unknown}", f"/tasks/{unknown}/events"):
        answer = server.get(path)
        message = {"detail": f"There is no task run {unknown}."}
        assert (answer.status_code, answer.json()) == (404, message)

"""The contract: what a route and a task may rely on. It is the same under every pattern.

Where patterns differ, the backend declares what it `supports`, and the test asks the backend. All
of it runs on real processes: a test client returns only after the tasks, and could prove no order.
"""

import asyncio
import re
import socket
from collections import Counter
from contextlib import nullcontext
from functools import partial
from inspect import signature
from pathlib import Path
from uuid import uuid4

import pytest

import app
from app import domains, main
from app.background.backend import backend
from app.background.task import TASKS, Task
from app.main import lifespan
from tests.servers import Project, wait_for


@pytest.fixture
def server(server: Project) -> Project:
    """Return the processes, with the tables of the domain `contract`."""
    assert server.post("/contract/tables").status_code == 204
    return server


def test_def_and_async_def_routes_enqueue_def_and_async_def_tasks(server: Project) -> None:
    for kind in ("def", "async"):
        answer = server.post(f"/contract/notes/{kind}/from-{kind}")
        assert (answer.status_code, len(set(answer.json()))) == (202, 2)
        marks = server.wait_for_marks(f"from-{kind}", 2)
        assert sorted(marks) == [f"from-{kind} async", f"from-{kind} def"]


def test_arguments_arrive_as_json_leaves_them(server: Project) -> None:
    server.post("/contract/show")
    assert server.wait_for_marks("show") == ["show ([1, 2], None) {'a': {'3': 'é'}}"]


SAYS = {
    "missing": "task 'contract.note'(line: str) -> None: missing a required argument: 'line'.",
    "unknown": "task 'contract.note'(line: str) -> None: got an unexpected keyword argument"
    " 'lines'.",
    "lambda": "is not a task. Decorate a function at module level",
    "unregistered": "not_a_task at 0x",
    "partial": "is not a task. Decorate a function at module level",
    "called": "None is not a task. Decorate a function at module level",
    "request": "task 'contract.show', argument 'values': tuple is not JSON (Object of type Request"
    " is not JSON serializable). Pass an id, a path or plain values",
    "bytes": "task 'contract.show', argument 'named': dict is not JSON (Object of type bytes",
    "nan": "task 'contract.show', argument 'values': tuple is not JSON (Out of range float values",
    "endless": "task 'contract.show', argument 'values': tuple is not JSON (Circular reference",
    "deep": "task 'contract.show', argument 'values': tuple is not JSON (more than 100 levels deep)",
}


@pytest.mark.parametrize("how", SAYS)
def test_a_wrong_call_fails_the_request(server: Project, how: str) -> None:
    answer = server.post(f"/contract/wrong/{how}")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SAYS[how] in answer.json()["detail"]


@pytest.mark.parametrize("status", [409, 500])
def test_a_handler_that_raises_fails_the_request(server: Project, status: int) -> None:
    answer = server.post(f"/contract/raise/raised?status={status}")
    assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.parametrize("step", ["flush", "commit"])
def test_a_failing_flush_or_commit_is_no_202(server: Project, step: str) -> None:
    answer = server.post(f"/contract/{step}/failed-{step}")
    assert answer.status_code == 500
    assert server.get(f"/contract/row/failed-{step}").json() is False


FAILING = [
    *(f"wrong/{how}" for how in SAYS),
    *(f"raise/raised?status={status}" for status in (409, 500)),
    *(f"{step}/failed" for step in ("flush", "commit")),
]


def test_of_a_request_that_fails_nothing_is_run(server: Project) -> None:
    answers = [server.post(f"/contract/{path}") for path in FAILING]
    assert {answer.status_code for answer in answers} == {409, 500}
    assert_all_ran(server)
    ran = [mark for mark in server.marks() if mark.startswith(("wrong", "raised", "failed"))]
    assert ran == []


def test_a_failing_task_stops_no_other(server: Project) -> None:
    assert server.post("/contract/fail/contained").status_code == 202
    for which in ("fail", "exit", "next"):  # several workers may run them in any order
        server.wait_for_marks(f"contained {which}")


def test_who_asked_is_told_of_each_failure(server: Project) -> None:
    assert server.post("/contract/fail/told").status_code == 202
    outcome = "retrying" if "retries" in backend.supports else "failed"
    server.wait_for_marks(f"told contract.fail ValueError 1 {outcome}")
    server.wait_for_marks(f"told contract.exit SystemExit 1 {outcome}")


def test_an_async_def_task_ends_at_its_timeout(server: Project) -> None:
    assert server.post("/contract/slow/slow").status_code == 202
    server.wait_for_marks("told contract.slow TimeoutError 1")


def test_attempts_are_counted(server: Project) -> None:
    server.post("/contract/show")
    server.wait_for_marks("show")
    counted = 'task_attempts_total{outcome="succeeded",task="contract.show"}'
    wait_for(lambda: counted in server.metrics(), counted)
    assert 'task_duration_seconds_count{task="contract.show"}' in server.metrics()
    assert 'task_wait_seconds_count{task="contract.show"}' in server.metrics()


def test_the_log_has_a_line_for_each_attempt_that_ends(server: Project) -> None:
    shown = server.post("/contract/show").json()
    assert server.post("/contract/fail/logged").status_code == 202
    failed = "retrying" if "retries" in backend.supports else "failed"
    ends = [rf"show \[{shown}\] succeeded", rf"fail \[\S+\] {failed}", rf"exit \[\S+\] {failed}"]
    for end in ends:
        line = re.compile(rf" app\.monitoring: task contract\.{end}: attempt 1, \d+\.\d\d s\n")
        wait_for(partial(logged, server, line), line.pattern)


def logged(server: Project, line: re.Pattern[str]) -> bool:
    """Tell whether the process that runs the tasks has logged a line."""
    return bool(line.search(server.log(server.runner)))


@pytest.mark.parametrize("options", ["key=k", "delay=0.01"])
def test_what_a_call_asks_for_is_done_or_refused(server: Project, options: str) -> None:
    answer = server.post(f"/contract/options/{options}?{options}")
    if "key" in backend.supports:
        assert answer.status_code == 202
        assert server.wait_for_marks(options) == [options]
    else:
        assert answer.status_code == 500
        assert "is more than this project's pattern can do" in answer.json()["detail"]


def test_a_call_may_leave_out_the_key_of_its_request(server: Project) -> None:
    sent = {"Idempotency-Key": "k"}
    answers = [server.post("/contract/options/keyless?key=", headers=sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() != answers[1].json()
    assert server.wait_for_marks("keyless", 2) == ["keyless", "keyless"]


def test_many_slow_tasks_delay_no_def_route(server: Project) -> None:
    """Starlette has 40 threads for `def` routes; tasks have their own, or processes of their own."""
    many = 45 if server.runner == "api" else 3
    for _ in range(many):
        assert server.post("/contract/wait/gate-many").status_code == 202
    server.wait_for_marks("waiting gate-many", 2)
    assert server.post("/contract/notes/def/meanwhile").status_code == 202
    server.open_gate("gate-many")
    server.wait_for_marks("passed gate-many", many)


@pytest.mark.parametrize("value", ["NaN", "1e999", r'"\ud800"'])
def test_what_is_no_text_is_refused(server: Project, value: str) -> None:
    headers = {"Content-Type": "application/json"}
    content = '{"action_name": VALUE}'.replace("VALUE", value)
    answer = server.post("/actions", content=content, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (422, "The request is not valid.")


def test_the_row_is_committed_before_the_task_and_stays_when_it_fails(server: Project) -> None:
    server.post("/contract/row/kept")
    assert set(server.wait_for_marks("read kept")) == {"read kept True"}
    assert server.get("/contract/row/kept").json() is True


def test_the_steps_come_in_order(server: Project) -> None:
    assert server.post("/contract/order").status_code == 202
    server.wait_for_marks("order run")
    steps = [mark.removeprefix("order ") for mark in server.marks("order ")]
    if "start after response" not in backend.supports:
        steps.remove("run")  # a worker may start as soon as the row is committed
        assert server.marks("order ").index("order run") > server.marks("order ").index(
            "order commit"
        )
        steps.append("run")
    assert steps == ["handler", "flush", "commit", "response", "run"]


def test_the_response_does_not_wait_for_the_task_nor_does_the_next_request(
    server: Project,
) -> None:
    with connected(server) as connection:
        assert request(connection, "POST", "/contract/wait/gate-1").startswith(b"HTTP/1.1 202")
        server.wait_for_marks("waiting gate-1")
        answer = request(connection, "GET", "/health/live")
        assert answer.startswith(b"HTTP/1.1 200")
        assert server.marks("passed gate-1") == []
    server.open_gate("gate-1")
    server.wait_for_marks("passed gate-1")


def test_a_stream_enqueues_before_it_and_at_its_end_but_not_within(server: Project) -> None:
    answer = server.post("/contract/stream/streamed")
    assert answer.text.endswith("Use: async with background_tasks() as tasks: tasks.add_task(...)")
    server.wait_for_marks("streamed", 2)
    assert Counter(server.marks("streamed")) == {"streamed before": 1, "streamed end": 1}


def test_tasks_enqueue_tasks(server: Project) -> None:
    server.post("/contract/chain/chained")
    assert server.wait_for_marks("chained") == ["chained"]


def test_a_websocket_enqueues(server: Project) -> None:
    with connected(server) as connection:
        connection.sendall(
            b"GET /contract/socket/socketed HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert server.wait_for_marks("socketed") == ["socketed"]


@pytest.mark.parametrize("keep", [True, False])
def test_a_joined_session_decides(server: Project, keep: bool) -> None:
    line = f"joined-{keep}"
    assert server.post(f"/contract/joined/{line}?keep={keep}").status_code == 202
    if keep:
        server.wait_for_marks(line)
    assert_all_ran(server)
    assert server.marks(line) == [line] * keep


def test_with_on_the_event_loop_says_what_to_write(server: Project) -> None:
    assert server.post("/contract/sync-door").status_code == 500
    remedy = "In async code write: async with background_tasks() as tasks: ..."
    wait_for(lambda: remedy in server.log("api"), "the remedy in the log")


def test_an_option_that_the_pattern_lacks_stops_the_start(
    migrated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    needy = Task("needy.work", print, signature(print), {"retries": 5})
    monkeypatch.setitem(TASKS, "needy.work", needy)
    refusal = "^task 'needy.work' declares retries=5, which pattern '[a-z]+' cannot do. Remove it,"
    refused = pytest.raises(RuntimeError, match=refusal)
    with nullcontext() if "retries" in backend.supports else refused:
        asyncio.run(start_and_stop())


async def start_and_stop() -> None:
    """Run the application's lifespan, as a server does."""
    async with lifespan(main.app):
        pass


def test_a_broken_domain_stops_the_start_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = tmp_path / "app" / "broken"
    domain.mkdir(parents=True)
    (domain / "router.py").write_text("routes = []\n")
    monkeypatch.setattr(domains, "APP", domain.parent)
    monkeypatch.setattr(app, "__path__", [*app.__path__, str(domain.parent)])
    with pytest.raises(TypeError) as refusal:
        domains.import_routers()
    expected = f"{domain / 'router.py'} must define router = APIRouter(), found None."
    assert str(refusal.value) == expected


@pytest.mark.disrupts
def test_sigterm_lets_the_running_task_finish(server: Project) -> None:
    server.post("/contract/wait/last")
    server.wait_for_marks("waiting last")
    runner = server.runner
    server.terminate(runner)
    server.open_gate("last")
    assert server.wait_for_marks("passed last") == ["passed last"]
    server.kill(runner)


def assert_all_ran(server: Project) -> None:
    """Show that the tasks of a later request have run, so that those of earlier ones have, too."""
    line = f"later-{uuid4()}"
    assert server.post(f"/contract/notes/def/{line}").status_code == 202
    server.wait_for_marks(line, 2)


def connected(server: Project) -> socket.socket:
    """Open a raw connection to the API."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def request(connection: socket.socket, method: str, path: str) -> bytes:
    """Send a request and return the whole response, as soon as it is there."""
    connection.sendall(
        f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n".encode()
    )
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body

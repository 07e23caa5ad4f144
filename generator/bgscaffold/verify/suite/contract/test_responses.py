"""Order: handler, flush, commit, response, run. The response waits for no task."""

import socket
from collections import Counter
from itertools import groupby

import pytest

from bgscaffold.verify.suite.contract.server import Server

PREFIX = "/bgscaffold-contract"


@pytest.mark.lacks("workers")
def test_a_task_runs_after_the_response(server: Server) -> None:
    steps = ["handler", "flush", "commit", "response", "run"]
    assert order(server) == steps


@pytest.mark.needs("workers")
def test_a_task_runs_after_the_commit(server: Server) -> None:
    steps = order(server)
    assert steps.index("run") > steps.index("commit")
    steps.remove("run")  # a worker may start it before the response is sent
    assert steps == ["handler", "flush", "commit", "response"]


def order(server: Server) -> list[str]:
    """Return the steps of a request and its task, in their order."""
    server.enqueue("order")
    server.wait_for_marks("order run")
    server.wait_for_marks("order response")
    steps = [mark.removeprefix("order ") for mark in server.marks("order ")]
    # The session dependency may commit once more, with nothing left to write.
    return [step for step, _ in groupby(steps)]


def test_the_response_and_the_next_request_do_not_wait_for_the_task(
    server: Server,
) -> None:
    with connected(server) as connection:
        accepted = request(connection, "POST", f"{PREFIX}/wait/gate-1")
        assert accepted.startswith(b"HTTP/1.1 202")
        server.wait_for_marks("waiting gate-1")
        alive = request(connection, "GET", "/health/live")
        assert alive.startswith(b"HTTP/1.1 200")
        assert server.marks("passed gate-1") == []
    server.open_gate("gate-1")
    server.wait_for_marks("passed gate-1")


def test_many_slow_tasks_delay_no_def_route(server: Server) -> None:
    """Starlette has 40 threads for `def` routes. Tasks have threads of their own."""
    many = 3 if server.project.has_workers else 45
    for _ in range(many):
        server.enqueue("wait/gate-many")
    server.wait_for_marks("waiting gate-many", 2)
    server.enqueue("notes/def/meanwhile")
    server.open_gate("gate-many")
    server.wait_for_marks("passed gate-many", many)


def test_a_stream_enqueues_before_it_and_at_its_end(server: Server) -> None:
    answer = server.ask("stream/streamed")
    remedy = "Use: async with background_tasks() as tasks: tasks.add_task(...)"
    assert answer.text.endswith(remedy)
    server.wait_for_marks("streamed", 2)
    assert Counter(server.marks("streamed")) == {
        "streamed before": 1,
        "streamed end": 1,
    }


def test_a_websocket_enqueues(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(
            f"GET {PREFIX}/socket/socketed HTTP/1.1\r\nHost: test\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert server.wait_for_marks("socketed") == ["socketed"]


def connected(server: Server) -> socket.socket:
    """Open a raw connection to the API."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def request(connection: socket.socket, method: str, path: str) -> bytes:
    """Send a request, and return the whole response as soon as it has arrived."""
    sent = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"
    connection.sendall(sent.encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body

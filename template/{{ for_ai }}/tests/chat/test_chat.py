"""The domain `chat`."""

import asyncio
import gc
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient
from fastapi.websockets import WebSocketState
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError
from websockets.sync.client import ClientConnection, connect

from app.background import BackgroundTasks
from app.chat.model import _agent
from app.chat.models import Message
from app.chat.router import QUESTIONS, _send, _states, talk
from app.chat.settings import ChatSettings, settings
from app.chat.tasks import log_exchange
from app.documents.embedder import EmbedderError
from app.documents.search import rows
from tests.chat.llm import WORDS, Model, serving
from tests.documents.conftest import run
from tests.documents.files import NOTES
from tests.servers import Project, wait_for

KEY = "sk-this-is-secret"


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """Return a language model."""
    with serving() as server:
        yield server


@pytest.fixture
def llm(server: Project, model: Model) -> Iterator[Model]:
    """Let the server ask that language model, and a test direct it."""
    chosen = {
        "LLM_MODEL": "openai-chat:m",
        "LLM_BASE_URL": model.url,
        "LLM_API_KEY": KEY,
    }
    assert server.put("/choice", json=chosen).status_code == 204
    yield model
    model.reset()
    assert server.put("/choice", json={"LLM_MODEL": "embedded"}).status_code == 204


def upload(server: Project, content: bytes = NOTES) -> str:
    """Upload a document, wait until it is ready, and return its id."""
    answer = server.post("/documents", files={"file": ("harbour.md", content)})
    path = f"/documents/{answer.json()['document_id']}"
    wait_for(lambda: server.get(path).json()["state"] == "ready", "the document")
    return path.removeprefix("/documents/")


def events(text: str) -> list[dict[str, Any]]:
    """Return the data of server-sent events."""
    lines = [
        line.removeprefix("data: ")
        for line in text.splitlines()
        if line.startswith("data")
    ]
    return [json.loads(line) for line in lines]


def said(server: Project, conversation_id: str) -> list[dict[str, Any]]:
    """Return what was said, as soon as it has been noted."""
    path = f"/chat/{conversation_id}"
    found: list[dict[str, Any]] = wait_for(
        lambda: server.get(path).json(), "the note of it"
    )
    return found


def test_the_embedded_model_quotes_the_document_and_the_exchange_is_noted(
    server: Project,
) -> None:
    upload(server)
    conversation_id = str(uuid4())
    asked = {
        "message": "What was the lighthouse built of?",
        "conversation_id": conversation_id,
    }
    answer = server.post("/chat", json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, *pieces, last = events(answer.text)
    text = "harbour.md says:\n\nHarbour\nThe lighthouse was built of granite."
    assert first["names"][0] == "harbour.md"
    assert len(pieces) > 5
    assert "".join(piece["text"] for piece in pieces) == text
    assert last == {"type": "end", "conversation_id": conversation_id}
    compact = json.dumps(last, separators=(",", ":"))
    assert answer.text.endswith(f"event: end\ndata: {compact}\n\n")
    noted = {"question": asked["message"], "answer": text, "complete": True}
    assert said(server, conversation_id) == [noted]


def test_a_question_needs_words(client: TestClient) -> None:
    assert client.post("/chat", json={"message": ""}).status_code == 422


def test_what_is_noted_twice_is_there_once(client: TestClient) -> None:
    conversation_id = str(uuid4())
    note = (
        str(uuid4()),
        conversation_id,
        "2026-05-04T03:02:01+00:00",
        "why?",
        "because",
        True,
    )
    run(log_exchange(*note))
    run(log_exchange(*note))  # as after a crash
    expected = {"question": "why?", "answer": "because", "complete": True}
    assert client.get(f"/chat/{conversation_id}").json() == [expected]


def test_what_no_database_takes_is_not_noted(client: TestClient) -> None:
    conversation_id = str(uuid4())
    said = ("why\0?", "be\ud800cause")
    run(
        log_exchange(
            str(uuid4()), conversation_id, "2026-05-04T03:02:01+00:00", *said, True
        )
    )
    expected = {"question": "why?", "answer": "because", "complete": True}
    assert client.get(f"/chat/{conversation_id}").json() == [expected]


def test_a_model_must_be_named_as_pydantic_ai_spells_it() -> None:
    with pytest.raises(ValidationError, match="llm_model"):
        ChatSettings(llm_model="gpt-5")


def test_of_a_key_the_line_break_at_its_end_is_left_out() -> None:
    key = ChatSettings.model_validate({"llm_api_key": f"{KEY}\n"}).llm_api_key
    assert key and key.get_secret_value() == KEY
    with pytest.raises(ValidationError, match="llm_api_key") as refusal:
        ChatSettings.model_validate({"llm_api_key": f"{KEY}\nX-Evil: 1"})
    assert KEY not in str(refusal.value)


def test_a_real_model_is_sent_passages_and_history_and_its_key_is_in_no_log(
    server: Project, llm: Model
) -> None:
    upload(server)
    conversation_id = str(uuid4())
    for message in ("What is it built of?", "Are you sure?"):
        question = {"message": message, "conversation_id": conversation_id}
        answer = server.post("/chat", json=question)
        assert "".join(e.get("text", "") for e in events(answer.text)) == "".join(WORDS)
        wait_for(
            lambda: server.get(f"/chat/{conversation_id}").json(), "the note of it"
        )
    sent = llm.asked[1]["messages"]
    assert [part["role"] for part in sent if part["role"] != "system"] == [
        "user",
        "assistant",
        "user",
    ]
    assert "The lighthouse was built of granite." in json.dumps(sent[-1])
    llm.status = 401
    refused = events(server.post("/chat", json={"message": "And now?"}).text)
    assert refused[-1] == {"type": "error", "detail": "There is no answer (HTTP 401)."}
    assert set(llm.keys) == {f"Bearer {KEY}"}
    logs = "".join(server.log(name) for name in server.processes)
    assert "the model openai-chat:m failed: HTTP 401" in logs
    assert KEY not in logs + str(refused)


def test_who_leaves_in_the_middle_is_noted_with_what_was_said(
    server: Project, llm: Model
) -> None:
    llm.gate.clear()
    conversation_id = str(uuid4())
    with ask_on_a_socket(server, conversation_id) as connection:
        received = b""
        while WORDS[0].encode() not in received:
            received += connection.recv(4096)
    noted = {"question": "Why?", "answer": WORDS[0], "complete": False}
    assert said(server, conversation_id) == [noted]


def ask_on_a_socket(server: Project, conversation_id: str) -> socket.socket:
    """Send a question on a raw connection, which the test can break off."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    body = json.dumps({"message": "Why?", "conversation_id": conversation_id})
    head = f"POST /chat HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    connection.sendall(f"{head}\r\n\r\n{body}".encode())
    return connection


def talking(server: Project) -> ClientConnection:
    """Open the WebSocket."""
    return connect(f"{server.url.replace('http', 'ws')}/chat/ws", proxy=None)


def test_the_websocket_answers_and_shows_a_document_being_processed(
    server: Project,
) -> None:
    content = b"".join(
        b"# Part %d\n\nA paragraph of part %d.\n\n" % (n, n) for n in range(200)
    )
    answer = server.post("/documents", files={"file": ("parts.md", content)})
    document_id = answer.json()["document_id"]
    with talking(server) as websocket:
        websocket.send(
            json.dumps({"watch": document_id, "message": "What is a lighthouse?"})
        )
        received: list[dict[str, Any]] = []
        while {"ready", "end"} - {e.get("state", e["type"]) for e in received}:
            received.append(json.loads(websocket.recv(30)))
    watched = [e for e in received if e["type"] == "document"]
    assert watched[-1] == {
        "type": "document",
        "document_id": document_id,
        "name": "parts.md",
        "state": "ready",
        "progress": 1.0,
        "reason": None,
        "chunks": 200,
    }
    seen = [event["progress"] for event in watched]
    assert seen == sorted(seen)
    conversation_id = next(e["conversation_id"] for e in received if e["type"] == "end")
    assert [each["complete"] for each in said(server, conversation_id)] == [True]
    UUID(conversation_id)


NEITHER = 'Send {"message": "..."} or {"watch": "document_id"}.'
NONSENSE: list[tuple[str | bytes, str]] = [
    ("no JSON", "Invalid JSON: "),
    ("[]", "Input should be an object."),
    (b"bytes", "Send text, not bytes."),
    ("{}", NEITHER),
    ('{"conversation_id": null}', NEITHER),
    ('{"message": "hi", "foo": 1}', "foo: Extra inputs are not permitted."),
    ('{"message": ""}', "message: String should have at least 1 character."),
    ('{"watch": "nope"}', "watch: String should match pattern '^[0-9a-f]{64}$'."),
    (
        '{"message": "hi", "conversation_id": "x"}',
        "conversation_id: Input should be a valid UUID",
    ),
    (json.dumps({"message": "hi", "x" * 999: 1}), f"{'x' * 200}."),
]


def test_the_websocket_says_what_it_does_not_understand(server: Project) -> None:
    with talking(server) as websocket:
        for nonsense, why in NONSENSE:
            websocket.send(nonsense)
            told = json.loads(websocket.recv(30))
            assert told == {"type": "error", "detail": told["detail"]}
            assert told["detail"].startswith(why)
        websocket.send(json.dumps({"watch": "0" * 64}))
        unknown = {"document_id": "0" * 64, "type": "document", "state": "unknown"}
        assert json.loads(websocket.recv(30)) == unknown


def test_who_leaves_the_websocket_leaves_no_error(server: Project, llm: Model) -> None:
    llm.gate.clear()
    before = len(server.log("api"))
    with talking(server) as websocket:
        websocket.send(json.dumps({"message": "Who leaves?"}))
        while json.loads(websocket.recv(30))["type"] != "text":
            pass
    query = "SELECT answer, complete FROM messages WHERE question = 'Who leaves?'"
    wait_for(lambda: server.query(query), "the note of it")
    [(answer, complete)] = server.query(query)
    assert (answer, bool(complete)) == (WORDS[0], False)
    assert "Traceback" not in server.log("api")[before:]


def fail(*_: Any) -> Any:
    """Stand for what asks a database that does not answer."""
    raise OperationalError("SELECT 1", {}, OSError("connection refused"))


def test_a_database_that_fails_is_told_and_logged_as_such(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("app.chat.answer.search", fail)
    monkeypatch.setattr("app.chat.answer.background_tasks", fail)
    told = events(client.post("/chat", json={"message": "Why?"}).text)
    assert told == [
        {"type": "error", "detail": "There is no answer (OperationalError)."}
    ]
    failed, noted = (
        r.getMessage() for r in caplog.records if r.name == "app.chat.answer"
    )
    assert failed == "the database failed: OperationalError"
    assert noted.endswith("was not noted: OperationalError")


def test_an_embedder_that_fails_is_not_taken_for_the_model(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def search(*_: Any) -> Any:
        raise EmbedderError("HTTP 500")

    monkeypatch.setattr("app.chat.answer.search", search)
    monkeypatch.setattr("app.chat.answer.background_tasks", Unheard)
    told = events(client.post("/chat", json={"message": "Why?"}).text)
    assert told == [{"type": "error", "detail": "There is no answer (HTTP 500)."}]
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("app")]
    assert ours == ["the embedder failed: HTTP 500"]


def test_without_a_model_it_is_told_what_is_missing(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def search(*_: Any) -> Any:
        return []

    monkeypatch.setattr("app.chat.answer.search", search)
    monkeypatch.setattr("app.chat.answer.background_tasks", Unheard)
    monkeypatch.setattr(settings, "llm_model", "nope:x")
    _agent.cache_clear()
    told = events(client.post("/chat", json={"message": "Why?"}).text)
    assert told[1:] == [
        {"type": "error", "detail": "There is no answer (Unknown provider: nope)."}
    ]
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("app")]
    assert ours == ["the model nope:x failed: Unknown provider: nope"]


def test_a_database_that_fails_ends_a_watch_and_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def watch() -> list[dict[str, Any]]:
        return [state async for state in _states("0" * 64)]

    monkeypatch.setattr("app.chat.router.rows", fail)
    told = {"type": "error", "detail": "The document cannot be watched any more."}
    assert run(watch()) == [told]


class Unheard(BackgroundTasks):
    """Enqueues nothing."""

    def add_task(self, *_: Any, **__: Any) -> str:
        """Forget the call."""
        return ""


def test_a_socket_that_is_found_gone_ends_the_answer_and_nothing_else(
    migrated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chat.answer.background_tasks", Unheard)
    question = json.dumps({"message": "Who leaves?"})
    incoming = iter(
        [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": question}]
    )
    found_gone = anyio.Event()

    async def receive() -> dict[str, Any]:
        if received := next(incoming, None):
            return received
        await found_gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            found_gone.set()
            raise OSError

    run(talk(WebSocket({"type": "websocket"}, receive, send)))


def test_who_asks_without_end_is_heard_as_far_as_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = 0

    async def receive() -> dict[str, Any]:
        nonlocal heard
        heard += 1
        question = {"type": "websocket.receive", "text": '{"message": "Why?"}'}
        return question if heard > 1 else {"type": "websocket.connect"}

    async def send(_message: Any) -> None:
        pass

    async def listen() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(talk, WebSocket({"type": "websocket"}, receive, send))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    @asynccontextmanager
    async def never(_exchange: Any) -> AsyncIterator[None]:
        await anyio.sleep_forever()
        yield

    monkeypatch.setattr("app.chat.router.answered", never)
    run(listen())
    assert (
        heard == 1 + 1 + QUESTIONS + 1
    )  # who connects, what is answered, what waits, one more


def test_what_another_has_found_gone_is_gone() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("nobody is there")

    websocket = WebSocket({"type": "websocket"}, never, never)
    websocket.application_state = WebSocketState.DISCONNECTED
    with pytest.raises(WebSocketDisconnect):
        run(_send(websocket, {}))


def test_who_leaves_while_the_database_is_asked_leaves_no_connection_behind(
    migrated: None,
) -> None:
    complaints: list[Any] = []

    gc.collect()
    gc.freeze()  # each look below is at what this test leaves, and takes a moment

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _loop, context: complaints.append(context["message"])
        )
        for moment in range(40):
            async with anyio.create_task_group() as group:
                group.start_soon(rows, sa.select(Message.id))
                for _ in range(moment):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            gc.collect()  # a task that nobody holds any more complains now

    run(leave())
    assert complaints == []

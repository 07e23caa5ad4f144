"""Answers: a real model's API, failures, and clients that disconnect."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient
from fastapi.websockets import WebSocketState
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from afterward.testing import EnqueuedCall
from app.chat import websocket
from app.chat.answer import Exchange, stream_answer
from app.chat.language_model import get_agent
from app.chat.models import Message
from app.chat.settings import ChatSettings, settings
from app.chat.tasks import log_exchange
from app.chat.websocket import MAX_WAITING, ChatConnection
from app.documents.embedder import EmbedderError
from app.documents.queries import fetch_all
from app.documents.settings import ApiKey
from tests.chat.test_chat import QUESTION, ask, text_of
from tests.documents.files import MARKDOWN
from tests.inside.conftest import Index
from tests.inside.model_server import WORDS, ModelServer, running_model

KEY = "sk-this-is-secret"
Log = pytest.LogCaptureFixture
Patch = pytest.MonkeyPatch


@pytest.fixture
def model(monkeypatch: Patch) -> Iterator[ModelServer]:
    """Use a language model with OpenAI's API."""
    with running_model() as server:
        monkeypatch.setattr(settings, "llm_model", "openai-chat:m")
        monkeypatch.setattr(settings, "llm_base_url", server.url)
        monkeypatch.setattr(settings, "llm_api_key", ApiKey(KEY))
        get_agent.cache_clear()
        yield server
        get_agent.cache_clear()


def test_a_real_api_gets_passages_and_history_and_its_key_is_not_logged(
    client: TestClient,
    index: Index,
    run_enqueued: Callable[[], list[Any]],
    model: ModelServer,
    caplog: Log,
) -> None:
    index(MARKDOWN, "harbour.md")
    conversation_id = str(uuid4())
    for message in (QUESTION, "Are you sure?"):
        assert text_of(ask(client, message, conversation_id)) == "".join(WORDS)
        run_enqueued()
    sent = [part for part in model.requests[1]["messages"] if part["role"] != "system"]
    assert [part["role"] for part in sent] == ["user", "assistant", "user"]
    assert "The lighthouse is built of granite." in json.dumps(sent[-1])
    model.status = 401
    refused = ask(client, "And now?", conversation_id)[-1]
    assert refused == {"type": "error", "detail": "There is no answer (HTTP 401)."}
    assert set(model.keys) == {f"Bearer {KEY}"}
    assert "the model openai-chat:m failed: HTTP 401" in caplog.messages
    assert KEY not in caplog.text


def test_a_disconnected_client_stops_the_model(
    client: TestClient, model: ModelServer, enqueued: list[EnqueuedCall]
) -> None:
    model.gate.clear()

    async def disconnect_after_the_first_word() -> None:
        async with stream_answer(Exchange(uuid4(), "Why?")) as events:
            async for event in events:
                if event["type"] == "text":
                    return

    asyncio.run(disconnect_after_the_first_word())
    call = enqueued[-1]
    assert (call.kwargs["answer"], call.kwargs["complete"]) == (WORDS[0], False)


def test_text_that_no_database_stores_is_left_out(client: TestClient) -> None:
    conversation_id = str(uuid4())
    task = log_exchange(
        exchange_id=str(uuid4()),
        conversation_id=conversation_id,
        asked_at="2026-05-04T03:02:01+00:00",
        question="why\0?",
        answer="be\ud800cause",
        complete=True,
    )
    asyncio.run(task)
    expected = {"question": "why?", "answer": "because", "complete": True}
    assert client.get(f"/chat/{conversation_id}").json() == [expected]


def test_a_question_needs_words(client: TestClient) -> None:
    assert client.post("/chat", json={"message": ""}).status_code == 422


def test_a_model_has_a_name_of_pydantic_ai() -> None:
    with pytest.raises(ValidationError, match="llm_model"):
        ChatSettings(llm_model="gpt-5")


def test_an_invalid_key_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="llm_api_key") as error:
        ChatSettings.model_validate({"llm_api_key": f"{KEY}\nX-Evil: 1"})
    assert KEY not in str(error.value)


def fail(*_: Any) -> Any:
    """Fail like a database that is down."""
    raise OperationalError("SELECT 1", {}, OSError("connection refused"))


def messages_of_app(caplog: Log) -> list[str]:
    """Return what the application has logged."""
    return [r.getMessage() for r in caplog.records if r.name.startswith("app.")]


def test_a_failing_database_is_reported(
    client: TestClient, monkeypatch: Patch, caplog: Log
) -> None:
    monkeypatch.setattr("app.chat.answer.search", fail)
    monkeypatch.setattr("app.chat.answer.background_tasks", fail)
    detail = "There is no answer (OperationalError)."
    assert ask(client, "Why?", str(uuid4())) == [{"type": "error", "detail": detail}]
    failed, not_logged = messages_of_app(caplog)
    assert failed == "the database failed: OperationalError"
    assert not_logged.endswith("was not logged: OperationalError")


def test_a_failing_embedder_is_not_reported_as_the_model(
    client: TestClient, enqueued: list[EnqueuedCall], monkeypatch: Patch, caplog: Log
) -> None:
    async def search(*_: Any) -> Any:
        raise EmbedderError("HTTP 500")

    monkeypatch.setattr("app.chat.answer.search", search)
    detail = "There is no answer (HTTP 500)."
    assert ask(client, "Why?", str(uuid4())) == [{"type": "error", "detail": detail}]
    assert messages_of_app(caplog) == ["the embedder failed: HTTP 500"]


def test_a_model_that_does_not_exist_is_reported(
    client: TestClient, enqueued: list[EnqueuedCall], monkeypatch: Patch, caplog: Log
) -> None:
    monkeypatch.setattr(settings, "llm_model", "nope:x")
    get_agent.cache_clear()
    detail = "There is no answer (Unknown provider: nope)."
    last = ask(client, "Why?", str(uuid4()))[-1]
    assert last == {"type": "error", "detail": detail}
    expected = ["the model nope:x failed: Unknown provider: nope"]
    assert messages_of_app(caplog) == expected


def test_a_failing_database_ends_a_watch(monkeypatch: Patch) -> None:
    async def watch() -> list[dict[str, Any]]:
        return [state async for state in websocket._states("0" * 64)]

    monkeypatch.setattr(websocket, "fetch_all", fail)
    detail = "The document cannot be watched."
    assert asyncio.run(watch()) == [{"type": "error", "detail": detail}]


CONTENT = 'Send {"message": "..."} or {"watch": "document_id"}.'
WRONG_MESSAGES: list[tuple[str | bytes, str]] = [
    ("no JSON", "Invalid JSON: "),
    ("[]", "Input should be an object."),
    (b"bytes", "Send text, not bytes."),
    ("{}", CONTENT),
    ('{"conversation_id": null}', CONTENT),
    ('{"message": "hi", "foo": 1}', "foo: Extra inputs are not permitted."),
    ('{"watch": "nope"}', "watch: String should match pattern '^[0-9a-f]{64}$'."),
    (
        '{"message": "hi", "conversation_id": "x"}',
        "conversation_id: Input should be a valid UUID",
    ),
    (json.dumps({"message": "hi", "x" * 999: 1}), f"{'x' * 200}."),
]


def test_the_websocket_explains_wrong_messages(client: TestClient) -> None:
    with client.websocket_connect("/chat/ws") as connection:
        for wrong, reason in WRONG_MESSAGES:
            if isinstance(wrong, bytes):
                connection.send_bytes(wrong)
            else:
                connection.send_text(wrong)
            event = connection.receive_json()
            assert event == {"type": "error", "detail": event["detail"]}
            assert event["detail"].startswith(reason)
        connection.send_json({"watch": "0" * 64})
        unknown = {"document_id": "0" * 64, "type": "document", "state": "unknown"}
        assert connection.receive_json() == unknown


@pytest.mark.usefixtures("enqueued")
def test_a_send_that_finds_the_client_gone_ends_the_connection(migrated: None) -> None:
    question = json.dumps({"message": "Who leaves?"})
    incoming = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": question},
        ]
    )
    is_gone = anyio.Event()

    async def receive() -> dict[str, Any]:
        if received := next(incoming, None):
            return received
        await is_gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            is_gone.set()
            raise OSError

    connection = WebSocket({"type": "websocket"}, receive, send)
    asyncio.run(ChatConnection(connection).serve())


def test_a_client_that_asks_without_end_is_read_as_far_as_it_is_answered(
    monkeypatch: Patch,
) -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        question = {"type": "websocket.receive", "text": '{"message": "Why?"}'}
        return question if read > 1 else {"type": "websocket.connect"}

    async def send(_message: Any) -> None:
        pass

    async def serve() -> None:
        connection = WebSocket({"type": "websocket"}, receive, send)
        async with anyio.create_task_group() as group:
            group.start_soon(ChatConnection(connection).serve)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    @asynccontextmanager
    async def never(_exchange: Any) -> AsyncIterator[None]:
        await anyio.sleep_forever()
        yield

    monkeypatch.setattr(websocket, "stream_answer", never)
    asyncio.run(serve())
    assert read == 1 + 1 + MAX_WAITING + 1  # connect, answered, waiting, one more


def test_a_connection_that_another_send_found_gone_is_gone() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("nobody is connected")

    connection = WebSocket({"type": "websocket"}, never, never)
    connection.application_state = WebSocketState.DISCONNECTED
    with pytest.raises(WebSocketDisconnect):
        asyncio.run(ChatConnection(connection)._send({}))


def test_a_cancelled_query_leaves_no_connection_open(migrated: None) -> None:
    complaints: list[Any] = []
    gc.collect()
    gc.freeze()  # each collection below looks only at what this test leaves

    async def cancel_at_each_step() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        for steps in range(40):
            async with anyio.create_task_group() as group:
                group.start_soon(fetch_all, sa.select(Message.id))
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            gc.collect()  # a connection that nobody closes complains now

    asyncio.run(cancel_at_each_step())
    assert complaints == []

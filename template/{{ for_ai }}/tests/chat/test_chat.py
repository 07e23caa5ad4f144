"""The domain `chat`: answers as a stream, over a WebSocket, and their log."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from afterward.testing import EnqueuedCall
from app.chat.answer import Exchange, stream_answer
from app.chat.tasks import log_exchange
from tests.documents.files import MARKDOWN, upload

RunEnqueued = Callable[[], list[Any]]
QUESTION = "What is the lighthouse built of?"
QUOTE = "harbour.md says:\n\nHarbour\nThe lighthouse is built of granite."


@pytest.fixture
def document_id(client: TestClient, run_enqueued: RunEnqueued) -> str:
    """Return the id of a document that is ready."""
    document_id = upload(client, MARKDOWN, "harbour.md")
    run_enqueued()
    return document_id


def ask(client: TestClient, message: str, conversation_id: str) -> list[dict[str, Any]]:
    """Ask over HTTP, and return the events of the answer."""
    question = {"message": message, "conversation_id": conversation_id}
    response = client.post("/chat", json=question)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = response.text.splitlines()
    return [json.loads(line[5:]) for line in lines if line.startswith("data:")]


def text_of(events: list[dict[str, Any]]) -> str:
    """Return the text of an answer."""
    return "".join(event.get("text", "") for event in events)


@pytest.mark.usefixtures("document_id")
def test_an_answer_quotes_the_document_and_is_logged(
    client: TestClient, run_enqueued: RunEnqueued
) -> None:
    conversation_id = str(uuid4())
    events = ask(client, QUESTION, conversation_id)
    assert events[0]["names"][0] == "harbour.md"
    assert text_of(events) == QUOTE
    assert events[-1] == {"type": "end", "conversation_id": conversation_id}
    run_enqueued()
    logged = {"question": QUESTION, "answer": QUOTE, "complete": True}
    assert client.get(f"/chat/{conversation_id}").json() == [logged]


@pytest.mark.usefixtures("document_id")
def test_a_disconnected_client_leaves_an_incomplete_log(
    enqueued: list[EnqueuedCall],
) -> None:
    exchange = Exchange(uuid4(), QUESTION)

    async def leave_after_the_first_word() -> None:
        async with stream_answer(exchange) as events:
            async for event in events:
                if event["type"] == "text":
                    return

    asyncio.run(leave_after_the_first_word())
    call = enqueued[-1]
    assert call.task == "chat.log_exchange"
    assert call.kwargs["complete"] is False
    answer = call.kwargs["answer"]
    assert answer != QUOTE
    assert QUOTE.startswith(answer)


def test_a_log_task_that_runs_again_changes_nothing(client: TestClient) -> None:
    conversation_id = str(uuid4())

    async def log_twice() -> None:
        exchange_id = str(uuid4())
        for _ in range(2):
            await log_exchange(
                exchange_id=exchange_id,
                conversation_id=conversation_id,
                asked_at="2026-05-04T03:02:01+00:00",
                question="Why?",
                answer="Because.",
                complete=True,
            )

    asyncio.run(log_twice())
    messages = client.get(f"/chat/{conversation_id}").json()
    assert messages == [{"question": "Why?", "answer": "Because.", "complete": True}]


def test_the_websocket_answers_questions(
    client: TestClient, document_id: str, enqueued: list[EnqueuedCall]
) -> None:
    with client.websocket_connect("/chat/ws") as websocket:
        websocket.send_json({"message": QUESTION})
        events = [websocket.receive_json()]
        while events[-1]["type"] != "end":
            events.append(websocket.receive_json())
    assert text_of(events) == QUOTE
    assert enqueued[-1].task == "chat.log_exchange"


def test_the_websocket_reports_a_document(client: TestClient, document_id: str) -> None:
    with client.websocket_connect("/chat/ws") as websocket:
        websocket.send_json({"watch": document_id})
        assert websocket.receive_json() == {
            "type": "document",
            "document_id": document_id,
            "state": "ready",
            "progress": 1.0,
            "reason": None,
            "chunks": 2,
            "name": "harbour.md",
        }


def test_the_websocket_explains_a_wrong_message(client: TestClient) -> None:
    with client.websocket_connect("/chat/ws") as websocket:
        websocket.send_json({"message": ""})
        detail = "message: String should have at least 1 character."
        assert websocket.receive_json() == {"type": "error", "detail": detail}

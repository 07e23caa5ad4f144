"""Routes of the domain `chat`."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated, Self
from uuid import UUID, uuid4

import anyio
import sqlalchemy as sa
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import APIRouter, Depends, WebSocket, WebSocketDisconnect
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.websockets import WebSocketState
from pydantic import BaseModel, Field, ValidationError, model_validator
from sqlalchemy.exc import SQLAlchemyError

from app.chat.answer import Event, Exchange, answered
from app.chat.models import Message
from app.chat.settings import settings
from app.database import SessionDep
from app.documents.models import Document
from app.documents.search import rows

log = logging.getLogger(__name__)
router = APIRouter(prefix="/chat", tags=["chat"])
LOOK = 0.2  # seconds between two looks at a document that is processed
QUESTIONS = 20  # that wait over one WebSocket; while more are sent, nothing more is heard
WATCHED = 50  # documents at a time over one WebSocket; the next waits for one of them


class Question(BaseModel):
    """A question; with the id of a conversation it goes on, without one it begins."""

    message: str = Field(min_length=1, max_length=4000)
    conversation_id: UUID = Field(default_factory=uuid4)


class Said(BaseModel, from_attributes=True):
    """A question and its answer, as they were noted."""

    question: str
    answer: str
    complete: bool


class Model(BaseModel):
    """The language model that answers; "embedded" is none, it only quotes."""

    name: str


class Wish(BaseModel, extra="forbid"):
    """What a client sends over the WebSocket: a message, a document to watch, or both."""

    message: str | None = Field(default=None, min_length=1, max_length=4000)
    watch: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    conversation_id: UUID | None = (
        None  # left out: a conversation that lasts as the connection does
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.message is None and self.watch is None:
            raise ValueError('Send {"message": "..."} or {"watch": "document_id"}')
        return self


Events = MemoryObjectReceiveStream[Event]


async def answer_to(question: Question) -> AsyncIterator[Events]:
    """Yield the events of the answer; it ends with the stream, or when whoever asked has left."""
    async with answered(Exchange(question.conversation_id, question.message)) as events:
        yield events


@router.post("", response_class=EventSourceResponse)
async def chat(events: Annotated[Events, Depends(answer_to)]) -> AsyncIterator[ServerSentEvent]:
    """Stream the answer as server-sent events: sources, text, text, ..., end; or error."""
    async for event in events:
        compact = json.dumps(event, separators=(",", ":"))  # as the WebSocket sends them
        yield ServerSentEvent(event=event["type"], raw_data=compact)


@router.get("")
async def model() -> Model:
    """Return which model answers."""
    return Model(name=settings.llm_model)


@router.get("/{conversation_id}")
async def conversation(conversation_id: UUID, session: SessionDep) -> list[Said]:
    """Return what was said in a conversation, as far as it has been noted."""
    of_it = sa.select(Message).where(Message.conversation_id == conversation_id)
    found = await session.scalars(of_it.order_by(Message.asked_at))
    return [Said.model_validate(message) for message in found]


@router.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    """Talk both ways: `{"message": ...}` is answered, `{"watch": ...}` followed to its end.

    Both at once: a document is watched while questions are answered, one after another.
    """
    await websocket.accept()
    asked, waiting = anyio.create_memory_object_stream[Exchange](QUESTIONS)
    async with asked, waiting, anyio.create_task_group() as group:
        group.start_soon(_answer, websocket, waiting)
        with suppress(WebSocketDisconnect):
            await _listen(websocket, group, asked)
        group.cancel_scope.cancel()


async def _listen(
    websocket: WebSocket, group: TaskGroup, asked: MemoryObjectSendStream[Exchange]
) -> None:
    conversation_id, watching = uuid4(), anyio.CapacityLimiter(WATCHED)
    while websocket.application_state is WebSocketState.CONNECTED:  # until a send has found it gone
        try:
            wish = Wish.model_validate_json(await websocket.receive_text())
        except ValidationError as error:
            await _send(websocket, {"type": "error", "detail": _wrong(error)})
            continue
        except KeyError:
            await _send(websocket, {"type": "error", "detail": "Send text, not bytes."})
            continue
        if wish.watch:
            group.start_soon(_watch, websocket, wish.watch, watching)
        if wish.message:
            await asked.send(Exchange(wish.conversation_id or conversation_id, wish.message))


def _wrong(error: ValidationError) -> str:
    first = error.errors()[0]
    why = first["msg"].removeprefix("Value error, ")
    return ": ".join([*map(str, first["loc"]), why])[:200] + "."


async def _send(websocket: WebSocket, event: Event) -> None:
    try:
        await websocket.send_json(event)
    except RuntimeError as error:  # somebody else's send has found it gone, or the server has
        raise WebSocketDisconnect(1006) from error


async def _answer(websocket: WebSocket, waiting: MemoryObjectReceiveStream[Exchange]) -> None:
    async for exchange in waiting:
        async with answered(exchange) as events:
            with suppress(
                WebSocketDisconnect
            ):  # inside: what leaves `answered` may come in a group
                async for event in events:
                    await _send(websocket, event)


async def _watch(websocket: WebSocket, document_id: str, turn: anyio.CapacityLimiter) -> None:
    """Send the state of a document at each change."""
    with suppress(WebSocketDisconnect):
        async with turn, aclosing(_states(document_id)) as states:
            async for state in states:
                await _send(websocket, {"document_id": document_id, **state})


async def _states(document_id: str) -> AsyncGenerator[Event]:
    """Yield the states of a document up to its last. Its row has them, under every pattern."""
    columns = (Document.state, Document.progress, Document.reason, Document.chunks, Document.name)
    row = sa.select(*columns).where(Document.id == document_id)
    told: Event = {}
    while told.get("state") not in ("ready", "failed", "unknown"):
        try:
            found = [each._asdict() for each in await rows(row)]
        except SQLAlchemyError as error:
            log.error("a document cannot be watched: %s", type(error).__name__)
            yield {"type": "error", "detail": "The document cannot be watched any more."}
            return
        now = found[0] if found else {"state": "unknown"}
        if now != told:
            yield {"type": "document", **now}
        told = now
        await anyio.sleep(LOOK)

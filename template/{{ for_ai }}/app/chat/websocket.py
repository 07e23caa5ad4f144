"""The WebSocket of the chat: it answers messages, and watches documents meanwhile."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Self
from uuid import UUID, uuid4

import anyio
import sqlalchemy as sa
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.websockets import WebSocketState
from pydantic import BaseModel, Field, ValidationError, model_validator
from sqlalchemy.exc import SQLAlchemyError

from app.chat.answer import Event, Exchange, stream_answer
from app.documents.models import Document
from app.documents.queries import fetch_all

log = logging.getLogger(__name__)
POLL_INTERVAL = 0.2  # seconds between two looks at a document that is processed
MAX_WAITING = 20  # questions; the connection is not read while more are sent
MAX_WATCHED = 50  # documents at a time; the next one waits
MAX_ERROR_LENGTH = 200
Exchanges = MemoryObjectReceiveStream[Exchange]


class ClientMessage(BaseModel, extra="forbid"):
    """What a client sends: a message, a document to watch, or both."""

    message: str | None = Field(default=None, min_length=1, max_length=4000)
    watch: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    # Without it, all messages of a connection belong to one conversation.
    conversation_id: UUID | None = None

    @model_validator(mode="after")
    def _require_content(self) -> Self:
        if self.message is None and self.watch is None:
            raise ValueError('Send {"message": "..."} or {"watch": "document_id"}')
        return self


class ChatConnection:
    """One WebSocket. It answers questions in order, and watches documents meanwhile."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._conversation_id = uuid4()
        self._watch_limiter = anyio.CapacityLimiter(MAX_WATCHED)

    async def serve(self) -> None:
        """Serve until the client disconnects."""
        await self._websocket.accept()
        send, receive = anyio.create_memory_object_stream[Exchange](MAX_WAITING)
        async with send, receive, anyio.create_task_group() as group:
            group.start_soon(self._answer_all, receive)
            with suppress(WebSocketDisconnect):
                await self._read(group, send)
            group.cancel_scope.cancel()

    async def _read(
        self, group: TaskGroup, exchanges: MemoryObjectSendStream[Exchange]
    ) -> None:
        # Starlette changes the state when a send finds the client disconnected.
        while self._websocket.application_state is WebSocketState.CONNECTED:
            received = await self._receive()
            if isinstance(received, str):
                await self._send({"type": "error", "detail": received})
                continue
            if received.watch:
                group.start_soon(self._watch, received.watch)
            if received.message:
                conversation_id = received.conversation_id or self._conversation_id
                await exchanges.send(Exchange(conversation_id, received.message))

    async def _receive(self) -> ClientMessage | str:
        """Return what the client has sent, or what is wrong with it."""
        try:
            text = await self._websocket.receive_text()
            return ClientMessage.model_validate_json(text)
        except ValidationError as error:
            return _describe(error)
        except KeyError:
            return "Send text, not bytes."

    async def _send(self, event: Event) -> None:
        try:
            await self._websocket.send_json(event)
        except RuntimeError as error:  # another send found the client disconnected
            raise WebSocketDisconnect(1006) from error

    async def _answer_all(self, exchanges: Exchanges) -> None:
        async for exchange in exchanges:
            async with stream_answer(exchange) as events:
                # Inside the block, which could wrap the error in an ExceptionGroup.
                with suppress(WebSocketDisconnect):
                    async for event in events:
                        await self._send(event)

    async def _watch(self, document_id: str) -> None:
        """Send each new state of a document."""
        with suppress(WebSocketDisconnect):
            async with self._watch_limiter, aclosing(_states(document_id)) as states:
                async for state in states:
                    await self._send({"document_id": document_id, **state})


def _describe(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    path = [str(part) for part in first["loc"]]
    return ": ".join([*path, reason])[:MAX_ERROR_LENGTH] + "."


async def _states(document_id: str) -> AsyncGenerator[Event]:
    """Yield each new state of a document, up to the last one."""
    last: Event = {}
    while last.get("state") not in ("ready", "failed", "unknown"):
        try:
            state = await _fetch_state(document_id)
        except SQLAlchemyError as error:
            log.error("a document cannot be watched: %s", type(error).__name__)
            yield {"type": "error", "detail": "The document cannot be watched."}
            return
        if state != last:
            yield {"type": "document", **state}
        last = state
        await anyio.sleep(POLL_INTERVAL)


async def _fetch_state(document_id: str) -> Event:
    query = sa.select(
        Document.state,
        Document.progress,
        Document.reason,
        Document.chunks,
        Document.name,
    ).where(Document.id == document_id)
    rows = await fetch_all(query)
    return rows[0]._asdict() if rows else {"state": "unknown"}

"""Answers a question as a stream of events, and logs the exchange at its end.

A background task logs it, also when the client disconnects in the middle.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import anyio
import sqlalchemy as sa
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from sqlalchemy.exc import SQLAlchemyError

from app.background import background_tasks
from app.chat.language_model import NoModelError, answering
from app.chat.models import Message
from app.chat.settings import settings
from app.chat.tasks import log_exchange
from app.documents.embedder import EmbedderError
from app.documents.queries import fetch_all
from app.documents.search import search

log = logging.getLogger(__name__)
Event = dict[str, Any]  # what a client receives; its `type` is the kind of event
EventStream = MemoryObjectReceiveStream[Event]


@dataclass
class Exchange:
    """A question, and the pieces of its answer that exist."""

    conversation_id: UUID
    question: str
    id: UUID = field(default_factory=uuid4)
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answer: list[str] = field(default_factory=list)
    complete: bool = False


@asynccontextmanager
async def stream_answer(exchange: Exchange) -> AsyncIterator[EventStream]:
    """Yield the events of an answer. Leaving the block stops the model.

    The model runs in a task of a task group, because nobody would close a generator in
    time when the client disconnects.
    """
    send, receive = anyio.create_memory_object_stream[Event]()
    async with _logged(exchange), receive, anyio.create_task_group() as group:
        group.start_soon(_send_events, exchange, send)
        yield receive
        group.cancel_scope.cancel()


@asynccontextmanager
async def _logged(exchange: Exchange) -> AsyncIterator[None]:
    """Log the exchange at the end of the block, also when it is cancelled."""
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            try:
                await _enqueue_log(exchange)
            except SQLAlchemyError as error:  # no client is left to get an error
                reason = type(error).__name__
                log.error("exchange %s was not logged: %s", exchange.id, reason)


async def _enqueue_log(exchange: Exchange) -> None:
    async with background_tasks() as tasks:
        tasks.add_task(
            log_exchange,
            exchange_id=str(exchange.id),
            conversation_id=str(exchange.conversation_id),
            asked_at=exchange.asked_at.isoformat(),
            question=exchange.question,
            answer="".join(exchange.answer),
            complete=exchange.complete,
        )


async def _send_events(
    exchange: Exchange, stream: MemoryObjectSendStream[Event]
) -> None:
    """Answer, and send an `error` event if that fails."""
    async with stream:
        try:
            await _answer(exchange, stream)
        except anyio.BrokenResourceError:  # the client has disconnected
            return
        except SQLAlchemyError as error:
            await _send_error(stream, "the database", type(error).__name__)
        except EmbedderError as error:
            await _send_error(stream, "the embedder", error.reason)
        except NoModelError as error:
            reason = str(error).rstrip(".")
            await _send_error(stream, f"the model {settings.llm_model}", reason)
        except Exception as error:  # noqa: BLE001  # the client gets an answer anyway
            # Without its message, in which a provider may repeat the key.
            status = getattr(error, "status_code", None)
            reason = f"HTTP {status}" if status else type(error).__name__
            await _send_error(stream, f"the model {settings.llm_model}", reason)


async def _send_error(
    stream: MemoryObjectSendStream[Event], source: str, reason: str
) -> None:
    log.error("%s failed: %s", source, reason)
    with suppress(anyio.BrokenResourceError):  # the client has disconnected
        await stream.send(
            {"type": "error", "detail": f"There is no answer ({reason})."}
        )


async def _answer(exchange: Exchange, stream: MemoryObjectSendStream[Event]) -> None:
    conversation_id = str(exchange.conversation_id)
    hits = await search(exchange.question, settings.chat_passages)
    sources = {
        "type": "sources",
        "names": list(dict.fromkeys(hit.name for hit in hits)),
        "conversation_id": conversation_id,
    }
    await stream.send(sources)
    history = await _history(exchange.conversation_id)
    async with answering(exchange.question, hits, history) as pieces:
        async for piece in pieces:
            exchange.answer.append(piece)
            await stream.send({"type": "text", "text": piece})
    exchange.complete = True
    await stream.send({"type": "end", "conversation_id": conversation_id})


async def _history(conversation_id: UUID) -> Sequence[sa.Row[Any]]:
    """Return the last exchanges of a conversation, oldest first."""
    newest_first = (
        sa.select(Message.question, Message.answer)
        .where(Message.conversation_id == conversation_id, Message.complete)
        .order_by(Message.asked_at.desc())
        .limit(settings.chat_history)
    )
    return (await fetch_all(newest_first))[::-1]

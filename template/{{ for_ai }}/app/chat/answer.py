"""An exchange: a question, what is found for it, the answer in pieces; and the note of it all.

The note is written by a background task when the stream has ended, also when whoever asked has
left in the middle.
"""

import logging
from collections.abc import AsyncIterator
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
from app.chat.model import NoModelError, answering
from app.chat.models import Message
from app.chat.settings import settings
from app.chat.tasks import log_exchange
from app.documents.embedder import EmbedderError
from app.documents.search import rows, search

log = logging.getLogger(__name__)
Event = dict[str, Any]  # what a client is told; `type` says what it is


@dataclass
class Exchange:
    """A question with as much of its answer as there is."""

    conversation_id: UUID
    question: str
    id: UUID = field(default_factory=uuid4)
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answer: list[str] = field(default_factory=list)
    complete: bool = False


@asynccontextmanager
async def answered(exchange: Exchange) -> AsyncIterator[MemoryObjectReceiveStream[Event]]:
    """Yield the events of an answer as they come. Leaving the block ends the model's stream.

    The model is asked by a task of its own: a generator that whoever asked has left in the middle
    would be closed later, by somebody else.
    """
    send, receive = anyio.create_memory_object_stream[Event]()
    async with _noting(exchange), receive, anyio.create_task_group() as group:
        group.start_soon(_answer, exchange, send)
        yield receive
        group.cancel_scope.cancel()


@asynccontextmanager
async def _noting(exchange: Exchange) -> AsyncIterator[None]:
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):  # whoever asked is gone: this is still to be done
            try:
                await _note(exchange)
            except SQLAlchemyError as error:  # nobody is left to be told
                log.error("the exchange %s was not noted: %s", exchange.id, type(error).__name__)


async def _note(exchange: Exchange) -> None:
    async with background_tasks() as tasks:
        tasks.add_task(
            log_exchange,
            str(exchange.id),
            str(exchange.conversation_id),
            exchange.asked_at.isoformat(),
            exchange.question,
            "".join(exchange.answer),
            exchange.complete,
        )


async def _answer(exchange: Exchange, send: MemoryObjectSendStream[Event]) -> None:
    async with send:
        try:
            await _ask(exchange, send)
        except anyio.BrokenResourceError:  # nobody listens any more
            return
        except SQLAlchemyError as error:
            await _give_up(send, "the database", type(error).__name__)
        except EmbedderError as error:
            await _give_up(send, "the embedder", error.why)
        except NoModelError as error:
            await _give_up(send, f"the model {settings.llm_model}", str(error).rstrip("."))
        except Exception as error:  # noqa: BLE001  # whatever it is, the client is told of it
            # Not its message: a provider may repeat in it what it was sent, the key too.
            status = getattr(error, "status_code", None)
            why = f"HTTP {status}" if status else type(error).__name__
            await _give_up(send, f"the model {settings.llm_model}", why)


async def _give_up(send: MemoryObjectSendStream[Event], who: str, why: str) -> None:
    log.error("%s failed: %s", who, why)
    with suppress(anyio.BrokenResourceError):  # nobody listens any more
        await send.send({"type": "error", "detail": f"There is no answer ({why})."})


async def _ask(exchange: Exchange, send: MemoryObjectSendStream[Event]) -> None:
    passages = await search(exchange.question, settings.chat_passages)
    names = list(dict.fromkeys(passage.name for passage in passages))
    conversation_id = str(exchange.conversation_id)
    await send.send({"type": "sources", "names": names, "conversation_id": conversation_id})
    history = await _history(exchange.conversation_id)
    async with answering(exchange.question, passages, history) as pieces:
        async for piece in pieces:
            exchange.answer.append(piece)
            await send.send({"type": "text", "text": piece})
    exchange.complete = True
    await send.send({"type": "end", "conversation_id": conversation_id})


async def _history(conversation_id: UUID) -> list[sa.Row[Any]]:
    of_it = sa.select(Message.question, Message.answer).where(
        Message.conversation_id == conversation_id, Message.complete
    )
    latest = of_it.order_by(Message.asked_at.desc()).limit(settings.chat_history)
    return (await rows(latest))[::-1]

"""Routes of the domain `chat`."""

import json
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID, uuid4

import sqlalchemy as sa
from fastapi import APIRouter, Depends, WebSocket
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from app.chat.answer import EventStream, Exchange, stream_answer
from app.chat.models import Message
from app.chat.settings import settings
from app.chat.websocket import ChatConnection
from app.database import SessionDep

router = APIRouter(prefix="/chat", tags=["chat"])


class Question(BaseModel):
    """A question. Without a conversation_id, it starts a conversation."""

    message: str = Field(min_length=1, max_length=4000)
    conversation_id: UUID = Field(default_factory=uuid4)


class MessageOut(BaseModel, from_attributes=True):
    """A logged question and its answer."""

    question: str
    answer: str
    complete: bool


class LanguageModel(BaseModel):
    """The configured language model; `none` if there is none."""

    name: str


async def answer_events(question: Question) -> AsyncIterator[EventStream]:
    """Yield the events of the answer. FastAPI ends this when the response ends.

    It ends, too, when the client disconnects.
    """
    exchange = Exchange(question.conversation_id, question.message)
    async with stream_answer(exchange) as events:
        yield events


AnswerEventsDep = Annotated[EventStream, Depends(answer_events)]


@router.post("", response_class=EventSourceResponse)
async def ask(events: AnswerEventsDep) -> AsyncIterator[ServerSentEvent]:
    """Stream the answer as server-sent events: sources, text, ..., end or error."""
    async for event in events:
        compact = json.dumps(event, separators=(",", ":"))  # as on the WebSocket
        yield ServerSentEvent(event=event["type"], raw_data=compact)


@router.get("")
async def get_language_model() -> LanguageModel:
    """Return which model answers."""
    return LanguageModel(name=settings.llm_model)


@router.get("/{conversation_id}")
async def get_conversation(
    conversation_id: UUID, session: SessionDep
) -> list[MessageOut]:
    """Return the logged messages of a conversation."""
    is_in_conversation = Message.conversation_id == conversation_id
    query = sa.select(Message).where(is_in_conversation).order_by(Message.asked_at)
    messages = await session.scalars(query)
    return [MessageOut.model_validate(message) for message in messages]


@router.websocket("/ws")
async def chat_websocket(websocket: WebSocket) -> None:
    """Answer `{"message": ...}`, and report the state of `{"watch": document_id}`."""
    await ChatConnection(websocket).serve()

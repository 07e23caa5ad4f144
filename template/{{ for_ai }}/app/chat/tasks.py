"""Tasks of the domain `chat`."""

from datetime import datetime
from uuid import UUID

from app import database
from app.background import task
from app.chat.models import Message
from app.documents.extract import storable
from app.documents.models import insert


@task("chat.log_exchange")
async def log_exchange(
    exchange_id: str,
    conversation_id: str,
    asked_at: str,
    question: str,
    answer: str,
    complete: bool,
) -> None:
    """Keep a question with its answer. Its id was made with the question: twice is once."""
    row = insert(Message).values(
        id=UUID(exchange_id),
        conversation_id=UUID(conversation_id),
        asked_at=datetime.fromisoformat(asked_at),
        question=storable(question),
        answer=storable(answer),
        complete=complete,
    )
    await database.execute_async(row.on_conflict_do_nothing())

"""Tasks of the domain `chat`."""

from datetime import datetime
from uuid import UUID

from afterward import task
from app.chat.models import Message
from app.database import engine
from app.documents.extract import storable_text
from app.documents.queries import insert


@task("chat.log_exchange")
async def log_exchange(
    exchange_id: str,
    conversation_id: str,
    asked_at: str,
    question: str,
    answer: str,
    complete: bool,
) -> None:
    """Store a question and its answer. A second run changes nothing."""
    row = insert(Message).values(
        id=UUID(exchange_id),
        conversation_id=UUID(conversation_id),
        asked_at=datetime.fromisoformat(asked_at),
        question=storable_text(question),
        answer=storable_text(answer),
        complete=complete,
    )
    async with engine().begin() as connection:
        await connection.execute(row.on_conflict_do_nothing())

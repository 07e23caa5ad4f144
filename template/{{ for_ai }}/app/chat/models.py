"""Tables of the domain `chat`."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Message(Base):
    """A question and its answer. It is incomplete if the client has disconnected."""

    __tablename__ = "messages"
    __table_args__ = (
        sa.Index("ix_messages_conversation", "conversation_id", "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID]
    question: Mapped[str] = mapped_column(sa.Text)
    answer: Mapped[str] = mapped_column(sa.Text)
    complete: Mapped[bool]
    asked_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))

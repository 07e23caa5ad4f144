"""Tables of the domain `documents`."""

from array import array
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pgvector.sqlalchemy import Vector
from sqlalchemy import Dialect, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Embedding(sa.types.TypeDecorator[list[float]]):
    """A vector: pgvector's type on PostgreSQL, and on SQLite the bytes for sqlite-vec.

    It has no fixed length, because the length depends on the embedder.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Return the database's own type."""
        is_postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(Vector() if is_postgresql else sa.LargeBinary())

    def process_bind_param(self, value: list[float] | None, dialect: Dialect) -> Any:
        """Return the value that is sent to the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return array("f", value).tobytes()


class Document(Base):
    """An uploaded file and its state: waiting, processing, ready or failed."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the file
    name: Mapped[str] = mapped_column(String(255))  # shown to people, never a path
    kind: Mapped[str] = mapped_column(String(10))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    progress: Mapped[float] = mapped_column(sa.Float, default=0.0)
    reason: Mapped[str | None] = mapped_column(Text)  # of the failure
    embedder: Mapped[str | None] = mapped_column(
        String(200)
    )  # made the chunks' vectors
    chunks: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=lambda: datetime.now(UTC)
    )


class Chunk(Base):
    """A passage of a document. The unique position prevents duplicates."""

    __tablename__ = "chunks"
    __table_args__ = (
        sa.UniqueConstraint("document_id", "position", name="uq_chunks_place"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE")
    )
    position: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    vector: Mapped[list[float]] = mapped_column(Embedding)

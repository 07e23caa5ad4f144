"""Tables of the domain `documents`."""

from array import array
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pgvector.sqlalchemy import Vector
from sqlalchemy import Dialect, ForeignKey, String, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, engine


class Embedding(sa.types.TypeDecorator[list[float]]):
    """A vector: pgvector's type on PostgreSQL, on SQLite the bytes that sqlite-vec reads.

    It has no fixed length, because another embedder has another one.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type that the database has for it."""
        postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(Vector() if postgresql else sa.LargeBinary())

    def process_bind_param(self, value: list[float] | None, dialect: Dialect) -> Any:
        """Return what is sent to the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return array("f", value).tobytes()


class Document(Base):
    """An uploaded file, and how far it has come: waiting, processing, ready or failed."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  # the SHA-256 of its content
    name: Mapped[str] = mapped_column(String(255))  # what the user calls it: never a path
    kind: Mapped[str] = mapped_column(String(10))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    progress: Mapped[float] = mapped_column(sa.Float, default=0.0)
    reason: Mapped[str | None] = mapped_column(Text)  # why it has failed
    embedder: Mapped[str | None] = mapped_column(String(200))  # whose vectors its chunks have
    chunks: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=lambda: datetime.now(UTC)
    )


class Chunk(Base):
    """A passage of a document. Its place in the document makes storing it twice impossible."""

    __tablename__ = "chunks"
    __table_args__ = (sa.UniqueConstraint("document_id", "position", name="uq_chunks_place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    position: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    vector: Mapped[list[float]] = mapped_column(Embedding)


def insert(table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT, which SQLAlchemy has for each database apart."""
    if engine().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)

"""Documents, their chunks with vectors and a full-text index, and chat messages."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.exc import DBAPIError

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

# SQLite's full-text index is a table. The triggers update it with the chunks.
SQLITE_FULL_TEXT = (
    """
    CREATE VIRTUAL TABLE chunks_fts USING fts5(
        text, content='chunks', content_rowid='id', tokenize='porter unicode61'
    )""",
    """
    CREATE TRIGGER chunks_insert AFTER INSERT ON chunks BEGIN
        INSERT INTO chunks_fts (rowid, text) VALUES (new.id, new.text);
    END""",
    """
    CREATE TRIGGER chunks_delete AFTER DELETE ON chunks BEGIN
        INSERT INTO chunks_fts (chunks_fts, rowid, text)
        VALUES ('delete', old.id, old.text);
    END""",
)
POSTGRESQL_FULL_TEXT = (
    "CREATE INDEX ix_chunks_fts ON chunks USING gin (to_tsvector('english', text))",
)


def upgrade() -> None:
    """Create the tables. PostgreSQL needs the extension pgvector on the server."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        _create_extension()
    _create_documents()
    _create_chunks(Vector() if is_postgresql else sa.LargeBinary())
    _create_messages()
    for statement in POSTGRESQL_FULL_TEXT if is_postgresql else SQLITE_FULL_TEXT:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables. The extension and the uploaded files stay."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE chunks_fts")
    for table in ("messages", "chunks", "documents"):
        op.drop_table(table)


def _create_extension() -> None:
    available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"
    if not op.get_bind().scalar(sa.text(available)):
        raise RuntimeError(
            "This PostgreSQL server lacks the extension 'vector' (pgvector), which"
            " stores the vectors of documents. Install it on the server: the package"
            " postgresql-<version>-pgvector, or the image pgvector/pgvector. Then run:"
            " uv run poe migrate"
        )
    try:
        op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except DBAPIError as error:
        raise RuntimeError(
            "This user may not create the extension 'vector' (pgvector). As a superuser"
            " run in this database: CREATE EXTENSION vector. Then run: uv run poe"
            f" migrate ({error.orig})"
        ) from error


def _create_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("embedder", sa.String(200)),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )


def _create_chunks(vector: sa.types.TypeEngine[Any]) -> None:
    documents = sa.ForeignKey("documents.id", ondelete="CASCADE")
    op.create_table(
        "chunks",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("document_id", sa.String(64), documents, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("vector", vector, nullable=False),
        sa.UniqueConstraint("document_id", "position", name="uq_chunks_place"),
    )


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_messages_conversation", "messages", ["conversation_id", "asked_at"]
    )

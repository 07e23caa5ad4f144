"""Tasks of the domain `documents`: extract, embed, store.

A task may run again after a crash, and twice at the same time. The database accepts one
chunk for each position of a document, so stored chunks stay and only the rest is added.
"""

from dataclasses import dataclass
from datetime import datetime

import anyio
import sqlalchemy as sa
from sqlalchemy import delete, update

from afterward import progress, task
from app.database import engine, sync_engine
from app.documents import embedder
from app.documents.extract import UnreadableError
from app.documents.extract_process import ExtractedChunk, extracting
from app.documents.files import delete_file
from app.documents.models import Chunk, Document
from app.documents.queries import insert

PAUSE = (
    0.02  # seconds between two writes: SQLite has one writer, and requests write too
)


class StaleRunError(Exception):
    """The document was deleted, or another run has completed or restarted it."""


@dataclass(frozen=True)
class IndexingRun:
    """The document that a task run works on.

    `created_at` tells it from a document with the same content that was uploaded later.
    """

    document_id: str
    created_at: datetime
    kind: str
    embedder: str


@task("documents.index")
async def index_document(document_id: str) -> None:
    """Make a document searchable, or record why that is impossible."""
    run = await _start_run(document_id)
    if run is None:
        return
    try:
        await _index(run)
    except StaleRunError:
        return
    except UnreadableError as error:  # a retry would fail in the same way
        await _mark_failed(run, str(error))
    except Exception as error:
        await _mark_failed(run, f"Processing failed ({type(error).__name__}).")
        raise


@task("documents.remove_file")
async def remove_file(document_id: str) -> None:
    """Delete the file of a deleted document, unless it was uploaded again."""
    # A row that is never committed locks the id. An upload of the same content waits
    # for it, and this task waits for an upload that came first.
    row = insert(Document).values(id=document_id, name="", kind="", size=0)
    lock = row.on_conflict_do_nothing().returning(Document.id)
    async with engine().connect() as connection:
        if await connection.scalar(lock):
            await delete_file(document_id)
        await connection.rollback()


async def _start_run(document_id: str) -> IndexingRun | None:
    """Set the document to `processing`; return None if there is nothing to do."""
    current = embedder.embedder_name()
    is_document = Document.id == document_id
    has_other_vectors = sa.and_(is_document, Document.embedder != current)
    is_incomplete = sa.or_(Document.state != "ready", Document.embedder != current)
    start = (
        update(Document)
        .where(is_document, is_incomplete)
        .values(state="processing", progress=0.0, reason=None, embedder=current)
        .returning(Document.created_at, Document.kind)
    )
    other_documents = sa.select(Document.id).where(has_other_vectors)
    async with engine().begin() as connection:
        # Locked first, so that chunks which another run stores now are deleted too.
        await connection.execute(
            sa.select(Document.id).where(is_document).with_for_update()
        )
        await connection.execute(
            delete(Chunk).where(Chunk.document_id.in_(other_documents))
        )
        row = (await connection.execute(start)).one_or_none()
    if row is None:
        return None
    return IndexingRun(
        document_id=document_id,
        created_at=row.created_at,
        kind=row.kind,
        embedder=current,
    )


async def _index(run: IndexingRun) -> None:
    stored = 0
    async with extracting(run.document_id, run.kind) as batches:
        async for batch in batches:
            if stored:
                await anyio.sleep(PAUSE)
            texts = [chunk.text for chunk in batch]
            vectors = await embedder.embed(texts)
            await anyio.to_thread.run_sync(_store, run, stored, batch, vectors)
            stored += len(batch)
            progress(batch[-1].progress, f"{stored} chunks")
    await _mark_ready(run, stored)


def _store(
    run: IndexingRun,
    position: int,
    batch: list[ExtractedChunk],
    vectors: list[list[float]],
) -> None:
    """Store some chunks, and the progress, in one transaction.

    It runs in a thread and awaits nothing in between, so other writers wait briefly.
    """
    rows = [
        {
            "document_id": run.document_id,
            "position": position + number,
            "text": chunk.text,
            "vector": vector,
        }
        for number, (chunk, vector) in enumerate(zip(batch, vectors, strict=True))
    ]
    set_progress = _update_if_current(run, progress=batch[-1].progress)
    with sync_engine().begin() as connection:
        if connection.execute(set_progress).rowcount == 0:
            raise StaleRunError
        connection.execute(insert(Chunk).on_conflict_do_nothing(), rows)


async def _mark_ready(run: IndexingRun, stored: int) -> None:
    is_surplus = sa.and_(Chunk.document_id == run.document_id, Chunk.position >= stored)
    ready = _update_if_current(run, state="ready", progress=1.0, chunks=stored)
    async with engine().begin() as connection:
        result = await connection.execute(ready)
        if result.rowcount:
            # An earlier version of the code may have cut the text into more chunks.
            await connection.execute(delete(Chunk).where(is_surplus))


async def _mark_failed(run: IndexingRun, reason: str) -> None:
    failed = _update_if_current(run, state="failed", reason=reason)
    chunks = delete(Chunk).where(Chunk.document_id == run.document_id)
    async with engine().begin() as connection:
        result = await connection.execute(failed)
        if result.rowcount:
            await connection.execute(chunks)


def _update_if_current(run: IndexingRun, **values: object) -> sa.Update:
    """Return an UPDATE that has no effect if the run is stale.

    In a deployment, a process with another embedder may have restarted the document.
    """
    return (
        update(Document)
        .where(
            Document.id == run.document_id,
            Document.created_at == run.created_at,
            Document.state == "processing",
            Document.embedder == run.embedder,
        )
        .values(**values)
    )

"""Tasks of the domain `documents`: read, embed, store.

A task may run twice after a crash, or at the same time as another for the same document. A chunk
has a place in its document, and the database takes no second one for it; so what has been stored
stays, and only the rest is added.
"""

from datetime import datetime
from typing import NamedTuple

import anyio
import sqlalchemy as sa
from sqlalchemy import delete, update

from app import database
from app.background import progress, task
from app.documents import embedder
from app.documents.extract import UnreadableError
from app.documents.files import remove
from app.documents.models import Chunk, Document, insert
from app.documents.reading import Passage, reading

REST = 0.02  # seconds between two writes: requests want the database too, and SQLite has one writer


class GoneError(Exception):
    """The document was deleted meanwhile, or another run has completed it, or begun it anew."""


class Begun(NamedTuple):
    """The document that a run works on: one uploaded anew, after it was deleted, is another one."""

    id: str
    created_at: datetime
    kind: str
    embedder: str


@task("documents.process")
async def process(document_id: str) -> None:
    """Make a document searchable, or note why that will never be possible."""
    begun = await _begin(document_id)
    if begun is None:
        return
    try:
        await _index(begun)
    except GoneError:
        return
    except UnreadableError as error:  # to try again would change nothing: no error for the backend
        await _fail(begun, str(error))
    except Exception as error:
        await _fail(begun, f"It could not be processed ({type(error).__name__}).")
        raise


@task("documents.remove_file")
async def remove_file(document_id: str) -> None:
    """Remove the file of a document that was deleted, unless it has been uploaded again."""
    # A row that nobody will see holds the id: an upload of the same content waits for its end, and
    # one that has come first is waited for.
    row = insert(Document).values(id=document_id, name="", kind="", size=0)
    held = row.on_conflict_do_nothing().returning(Document.id)
    async with database.engine().connect() as connection:
        if await connection.scalar(held):
            await remove(document_id)
        await connection.rollback()


async def _index(document: Begun) -> None:
    stored = 0
    async with reading(document.id, document.kind) as batches:
        async for batch in batches:
            if stored:
                await anyio.sleep(REST)
            vectors = await embedder.embed([passage.text for passage in batch])
            await anyio.to_thread.run_sync(_store, document, stored, batch, vectors)
            stored += len(batch)
            progress(batch[-1].done, f"{stored} chunks")
    await _complete(document, stored)


async def _begin(document_id: str) -> Begun | None:
    """Return the document; None when there is nothing to do."""
    name = embedder.name()
    is_it = Document.id == document_id
    # Held first, so that what another run is storing is seen, and deleted with the rest.
    held = sa.select(Document.id).where(is_it).with_for_update()
    others = sa.select(Document.id).where(is_it, Document.embedder != name)
    begun = (
        update(Document)
        .where(is_it, sa.or_(Document.state != "ready", Document.embedder != name))
        .values(state="processing", progress=0.0, reason=None, embedder=name)
        .returning(Document.id, Document.created_at, Document.kind)
    )
    async with database.engine().begin() as connection:
        await connection.execute(held)
        await connection.execute(delete(Chunk).where(Chunk.document_id.in_(others)))
        found = (await connection.execute(begun)).one_or_none()
    return Begun(*found, name) if found else None


def _store(
    document: Begun, position: int, batch: list[Passage], vectors: list[list[float]]
) -> None:
    """Store some chunks together with the progress that they are.

    In a thread, and in one go: whoever else would write waits for the end of it.
    """
    rows = [
        {"document_id": document.id, "position": number, "text": passage.text, "vector": vector}
        for number, (passage, vector) in enumerate(zip(batch, vectors, strict=True), position)
    ]
    progressed = _while_processing(document, progress=batch[-1].done)
    new = insert(Chunk).on_conflict_do_nothing()
    with database.sync_engine().begin() as connection:
        if connection.execute(progressed).rowcount == 0:
            raise GoneError
        connection.execute(new, rows)


async def _complete(document: Begun, stored: int) -> None:
    beyond = delete(Chunk).where(Chunk.document_id == document.id, Chunk.position >= stored)
    ready = _while_processing(document, state="ready", progress=1.0, chunks=stored)
    async with database.engine().begin() as connection:
        if (await connection.execute(ready)).rowcount:
            await connection.execute(beyond)  # of an earlier run, when chunks were cut differently


async def _fail(document: Begun, reason: str) -> None:
    failed = _while_processing(document, state="failed", reason=reason)
    async with database.engine().begin() as connection:
        if (await connection.execute(failed)).rowcount:
            await connection.execute(delete(Chunk).where(Chunk.document_id == document.id))


def _while_processing(document: Begun, **values: object) -> sa.Update:
    it = (Document.id == document.id, Document.created_at == document.created_at)
    # During a deploy a process with another embedder may have begun it anew: one keeps its vectors.
    ours = (Document.state == "processing", Document.embedder == document.embedder)
    return update(Document).where(*it, *ours).values(**values)

"""Tasks of the domain `documents`: read, embed, store.

A task may run twice after a crash, or at the same time as another for the same document. A chunk
has a place in its document, and the database takes no second one for it; so what has been stored
stays, and only the rest is added.
"""

import anyio
import sqlalchemy as sa
from sqlalchemy import delete, update

from app import database
from app.background import progress, task
from app.documents import embedder
from app.documents.extract import UnreadableError
from app.documents.files import path_of
from app.documents.models import Chunk, Document, insert
from app.documents.reading import Passage, reading

REST = 0.02  # seconds between two writes: requests want the database too, and SQLite has one writer


class GoneError(Exception):
    """The document was deleted meanwhile, or another run of this task has completed it."""


@task("documents.process")
async def process(document_id: str) -> None:
    """Make a document searchable, or note why that will never be possible."""
    kind = await _begin(document_id)
    if kind is None:
        return
    try:
        await _index(document_id, kind)
    except GoneError:
        return
    except UnreadableError as error:  # to try again would change nothing: no error for the backend
        await _fail(document_id, str(error))
    except Exception as error:
        await _fail(document_id, f"It could not be processed ({type(error).__name__}).")
        raise


@task("documents.remove_file")
async def remove_file(document_id: str) -> None:
    """Remove the file of a document that was deleted, unless it has been uploaded again."""
    known = sa.select(Document.id).where(Document.id == document_id)
    if not await database.execute_async(known):
        path_of(document_id).unlink(missing_ok=True)


async def _index(document_id: str, kind: str) -> None:
    stored = 0
    async with reading(document_id, kind) as batches:
        async for batch in batches:
            vectors = await embedder.embed([passage.text for passage in batch])
            await _store(document_id, stored, batch, vectors)
            stored += len(batch)
            progress(batch[-1].done, f"{stored} chunks")
            await anyio.sleep(REST)
    await _complete(document_id, stored)


async def _begin(document_id: str) -> str | None:
    """Return the document's kind; None when there is nothing to do."""
    name = embedder.name()
    is_it = Document.id == document_id
    others = sa.select(Document.id).where(is_it, Document.embedder != name)
    begun = (
        update(Document)
        .where(is_it, sa.or_(Document.state != "ready", Document.embedder != name))
        .values(state="processing", progress=0.0, reason=None, embedder=name)
        .returning(Document.kind)
    )
    async with database.engine().begin() as connection:
        await connection.execute(delete(Chunk).where(Chunk.document_id.in_(others)))
        kind: str | None = await connection.scalar(begun)
    return kind


async def _store(
    document_id: str, position: int, batch: list[Passage], vectors: list[list[float]]
) -> None:
    """Store some chunks together with the progress that they are."""
    rows = [
        {"document_id": document_id, "position": number, "text": passage.text, "vector": vector}
        for number, (passage, vector) in enumerate(zip(batch, vectors, strict=True), position)
    ]
    async with database.engine().begin() as connection:
        changed = await connection.execute(_while_processing(document_id, progress=batch[-1].done))
        if changed.rowcount == 0:
            raise GoneError
        await connection.execute(insert(Chunk).on_conflict_do_nothing(), rows)


async def _complete(document_id: str, stored: int) -> None:
    beyond = delete(Chunk).where(Chunk.document_id == document_id, Chunk.position >= stored)
    ready = _while_processing(document_id, state="ready", progress=1.0, chunks=stored)
    async with database.engine().begin() as connection:
        await connection.execute(ready)
        await connection.execute(beyond)  # of an earlier run, when chunks were cut differently


async def _fail(document_id: str, reason: str) -> None:
    async with database.engine().begin() as connection:
        await connection.execute(_while_processing(document_id, state="failed", reason=reason))


def _while_processing(document_id: str, **values: object) -> sa.Update:
    processing = (Document.id == document_id, Document.state == "processing")
    return update(Document).where(*processing).values(**values)

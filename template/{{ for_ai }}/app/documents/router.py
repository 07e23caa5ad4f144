"""Routes of the domain `documents`."""

import logging
from datetime import UTC, datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import AfterValidator, BaseModel

from app.background import BackgroundTasksDep
from app.database import SessionDep
from app.documents.embedder import EmbedderError
from app.documents.files import LimitedRoute, Saved, place, save
from app.documents.models import Document, insert
from app.documents.search import Found, search
from app.documents.tasks import process, remove_file

log = logging.getLogger(__name__)
router = APIRouter(prefix="/documents", tags=["documents"], route_class=LimitedRoute)
DocumentId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content")]


class Accepted(BaseModel):
    """The file is kept, and will be read after this response."""

    document_id: str
    task_id: str


class DocumentStatus(BaseModel, from_attributes=True):
    """A document, and how far it has come."""

    id: str
    name: str
    kind: str
    size: int
    state: Literal["waiting", "processing", "ready", "failed"]
    progress: float
    reason: str | None
    chunks: int
    created_at: Annotated[
        datetime, AfterValidator(lambda moment: moment.replace(tzinfo=moment.tzinfo or UTC))
    ]


@router.post("", status_code=202)
async def upload(
    saved: Annotated[Saved, Depends(save, scope="function")],
    session: SessionDep,
    background_tasks: BackgroundTasksDep,
) -> Accepted:
    """Accept a PDF, HTML, Markdown or text; the background makes it searchable.

    The same content is the same document: to upload it again starts over what has failed. So its
    content is its key, and the header `Idempotency-Key` does not count: a key would hold back the
    task of a document that was deleted meanwhile, or has failed.
    """
    await session.execute(_registered(saved))  # holds the row until the commit: see files.py
    await place(saved)
    task_id = background_tasks.options(key=None).add_task(process, saved.id)
    return Accepted(document_id=saved.id, task_id=task_id)


@router.get("")
async def documents(
    session: SessionDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[DocumentStatus]:
    """List the documents, the newest first."""
    newest = sa.select(Document).order_by(Document.created_at.desc(), Document.id).limit(limit)
    return [DocumentStatus.model_validate(found) for found in await session.scalars(newest)]


@router.get("/search")
async def search_documents(
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> list[Found]:
    """Return the passages that fit a question best; 503 while the embedder fails."""
    try:
        return await search(q, limit)
    except EmbedderError as error:
        log.error("a search failed: %s", error)
        raise HTTPException(503, str(error)) from None


@router.get("/{document_id}")
async def document(document_id: DocumentId, session: SessionDep) -> DocumentStatus:
    """Return a document's state; 404 when there is none with this id."""
    found = await session.get(Document, document_id)
    if found is None:
        raise _unknown(document_id)
    return DocumentStatus.model_validate(found)


@router.delete("/{document_id}", status_code=204)
async def delete_document(
    document_id: DocumentId, session: SessionDep, background_tasks: BackgroundTasksDep
) -> None:
    """Delete a document with its chunks; its file goes in the background."""
    gone = sa.delete(Document).where(Document.id == document_id).returning(Document.id)
    if await session.scalar(gone) is None:
        raise _unknown(document_id)
    background_tasks.options(key=None).add_task(remove_file, document_id)


def _registered(saved: Saved) -> sa.Executable:
    new = insert(Document).values(id=saved.id, name=saved.name, kind=saved.kind, size=saved.size)
    again = sa.case((Document.state == "failed", "waiting"), else_=Document.state)
    changes = {"name": saved.name, "state": again, "reason": None}
    return new.on_conflict_do_update(index_elements=[Document.id], set_=changes)


def _unknown(document_id: str) -> HTTPException:
    return HTTPException(404, f"There is no document {document_id}.")

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
from app.documents.files import (
    SavedUpload,
    SizeLimitedRoute,
    move_into_place,
    save_upload,
)
from app.documents.models import Document
from app.documents.queries import insert
from app.documents.search import SearchHit, search
from app.documents.tasks import index_document, remove_file

log = logging.getLogger(__name__)
router = APIRouter(
    prefix="/documents", tags=["documents"], route_class=SizeLimitedRoute
)
SavedUploadDep = Annotated[SavedUpload, Depends(save_upload, scope="function")]
DocumentId = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content")
]


def _with_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=moment.tzinfo or UTC)  # SQLite stores no time zone


class Accepted(BaseModel):
    """The file is stored, and will be indexed after this response."""

    document_id: str
    task_id: str


class DocumentStatus(BaseModel, from_attributes=True):
    """A document and its state."""

    id: str
    name: str
    kind: str
    size: int
    state: Literal["waiting", "processing", "ready", "failed"]
    progress: float
    reason: str | None
    chunks: int
    created_at: Annotated[datetime, AfterValidator(_with_utc)]


@router.post("", status_code=202)
async def upload_document(
    upload: SavedUploadDep,
    session: SessionDep,
    background_tasks: BackgroundTasksDep,
) -> Accepted:
    """Accept a PDF, HTML, Markdown or text file. A task makes it searchable.

    The same content is the same document. Uploading it again restarts a failed one. The
    header `Idempotency-Key` is ignored, because a key would return the old task of a
    document that was deleted or has failed meanwhile.
    """
    await session.execute(_upsert(upload))  # locks the row until the commit
    await move_into_place(upload)
    tasks = background_tasks.options(key=None)
    task_id = tasks.add_task(index_document, upload.document_id)
    return Accepted(document_id=upload.document_id, task_id=task_id)


@router.get("")
async def list_documents(
    session: SessionDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[DocumentStatus]:
    """List the documents, newest first."""
    newest_first = (Document.created_at.desc(), Document.id)
    query = sa.select(Document).order_by(*newest_first).limit(limit)
    documents = await session.scalars(query)
    return [DocumentStatus.model_validate(document) for document in documents]


@router.get("/search")
async def search_documents(
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> list[SearchHit]:
    """Return the best passages for a question; 503 while the embedder fails."""
    try:
        return await search(q, limit)
    except EmbedderError as error:
        log.error("a search failed: %s", error)
        raise HTTPException(503, str(error)) from None


@router.get("/{document_id}")
async def get_document(document_id: DocumentId, session: SessionDep) -> DocumentStatus:
    """Return the state of a document; 404 if it does not exist."""
    document = await session.get(Document, document_id)
    if document is None:
        raise _not_found_error(document_id)
    return DocumentStatus.model_validate(document)


@router.delete("/{document_id}", status_code=204)
async def delete_document(
    document_id: DocumentId, session: SessionDep, background_tasks: BackgroundTasksDep
) -> None:
    """Delete a document with its chunks. A task deletes its file."""
    is_document = Document.id == document_id
    deletion = sa.delete(Document).where(is_document).returning(Document.id)
    if await session.scalar(deletion) is None:
        raise _not_found_error(document_id)
    background_tasks.options(key=None).add_task(remove_file, document_id)


def _upsert(upload: SavedUpload) -> sa.Executable:
    """Return the statement that adds a document, or restarts a failed one."""
    row = insert(Document).values(
        id=upload.document_id, name=upload.name, kind=upload.kind, size=upload.size
    )
    restarted = sa.case((Document.state == "failed", "waiting"), else_=Document.state)
    return row.on_conflict_do_update(
        index_elements=[Document.id],
        set_={"name": upload.name, "state": restarted, "reason": None},
    )


def _not_found_error(document_id: str) -> HTTPException:
    return HTTPException(404, f"There is no document {document_id}.")

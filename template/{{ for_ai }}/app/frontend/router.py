"""The page at `/`: upload, watch, search, chat. Plain HTML, CSS and JavaScript."""

from html import escape
from pathlib import Path
from string import Template
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from app.database import SessionDep
from app.documents.router import DocumentStatus, list_documents

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
INDEX = Template((FOLDER / "index.html").read_text(encoding="utf-8"))
DOCUMENT = Template((FOLDER / "document.html").read_text(encoding="utf-8"))
# The browser loads and runs the page's own files only, whatever a document contains.
SECURITY_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"


@router.get("/")
async def show_index(session: SessionDep) -> HTMLResponse:
    """Show the page with the present documents."""
    documents = await list_documents(session, limit=100)
    rows = "".join(render_document(document) for document in documents)
    headers = {"Content-Security-Policy": SECURITY_POLICY}
    return HTMLResponse(INDEX.substitute(documents=rows), headers=headers)


@router.get("/page.{suffix}")
async def get_asset(suffix: Literal["css", "js", "svg"]) -> FileResponse:
    """Return the page's style, script or icon."""
    return FileResponse(FOLDER / f"page.{suffix}")


def render_document(document: DocumentStatus) -> str:
    """Return the HTML of one document. Everything that users write is escaped."""
    fields = document.model_dump() | {"note": describe(document)}
    return DOCUMENT.substitute(
        {name: escape(str(value)) for name, value in fields.items()}
    )


def describe(document: DocumentStatus) -> str:
    """Return the note below a document."""
    if document.state == "failed":
        return document.reason or ""
    if document.state != "ready":
        return ""
    return "1 passage" if document.chunks == 1 else f"{document.chunks} passages"

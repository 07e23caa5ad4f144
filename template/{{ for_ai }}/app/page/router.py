"""The page at `/`: upload, watch, search, chat. Plain HTML, CSS and JavaScript, without a build."""

from html import escape
from pathlib import Path
from string import Template

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from app.database import SessionDep
from app.documents.router import DocumentStatus, documents

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
PAGE = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
ROW = Template((FOLDER / "row.html").read_text(encoding="utf-8"))
# Whatever a document says, nothing but this page's own files is ever run or loaded.
SAFE = {"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"}


@router.get("/")
async def page(session: SessionDep) -> HTMLResponse:
    """Show the page, with the documents that there are."""
    rows = "".join(map(row, await documents(session, limit=100)))
    return HTMLResponse(PAGE.substitute(rows=rows), headers=SAFE)


@router.get("/page.css")
async def style() -> FileResponse:
    """Serve the page's style."""
    return FileResponse(FOLDER / "page.css")


@router.get("/page.svg")
async def icon() -> FileResponse:
    """Serve the page's icon."""
    return FileResponse(FOLDER / "page.svg")


@router.get("/page.js")
async def script() -> FileResponse:
    """Serve the page's script."""
    return FileResponse(FOLDER / "page.js")


def row(document: DocumentStatus) -> str:
    """Return the row of a document, with all that users have written made harmless."""
    values = {name: escape(str(value)) for name, value in document.model_dump().items()}
    return ROW.substitute(values, note=escape(note(document)))


def note(document: DocumentStatus) -> str:
    """Return what stands beside the state of a document."""
    passages = "1 passage" if document.chunks == 1 else f"{document.chunks} passages"
    return {"ready": passages, "failed": document.reason or ""}.get(document.state, "")

"""Uploaded files. The name of a file is the hash of its content, never the user's name.

A document has its file as long as it has its row. So a file is moved into place, and
deleted, only inside a transaction that locks the row. A crash can leave an orphaned
file, and never a row without a file.
"""

import codecs
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import anyio
from fastapi import HTTPException, Request, Response, UploadFile
from fastapi.routing import APIRoute

from app.documents.settings import settings

BLOCK_SIZE = 1024 * 1024  # large blocks: a thread waits for the interpreter after each
UNFINISHED_PREFIX = ".upload-"  # of a file that is still being written
FORM_OVERHEAD = 10_000  # bytes of a form besides the file
HTML_START = re.compile(  # after comments and declarations, if there are any
    r"\s*(?:<[!?](?!doctype)[^>]*>\s*)*<(?:!doctype html|html|head|body)\b",
    re.IGNORECASE,
)
# Threads of their own: the holder of a lock must not wait behind those who wait for it.
_disk_threads = anyio.CapacityLimiter(8)


@dataclass(frozen=True)
class SavedUpload:
    """An upload that is on the disk, in a temporary file."""

    document_id: str
    name: str
    kind: str
    size: int
    file: Path


def document_path(document_id: str) -> Path:
    """Return the path of a document's file."""
    return settings.documents_folder / document_id


def save_upload(file: UploadFile) -> Iterator[SavedUpload]:
    """Save an upload in a temporary file.

    A `def` dependency runs in a thread, so writing does not block the event loop.
    """
    folder = settings.documents_folder
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        dir=folder, prefix=UNFINISHED_PREFIX, delete=False
    ) as target:
        path = Path(target.name)
        try:
            digest, size, kind = _copy(file.file, target.file)
            yield SavedUpload(
                document_id=digest,
                name=display_name(file.filename),
                kind=kind,
                size=size,
                file=path,
            )
        finally:
            path.unlink(missing_ok=True)  # missing if it was moved into place


async def move_into_place(upload: SavedUpload) -> None:
    """Give a saved file its final name, while its row is locked."""
    await anyio.to_thread.run_sync(_move, upload, limiter=_disk_threads)


async def delete_file(document_id: str) -> None:
    """Delete a document's file, while its row is locked."""
    unlink = document_path(document_id).unlink
    await anyio.to_thread.run_sync(unlink, True, limiter=_disk_threads)


def _move(upload: SavedUpload) -> None:
    os.replace(upload.file, document_path(upload.document_id))
    folder = os.open(settings.documents_folder, os.O_RDONLY)
    try:
        os.fsync(folder)  # or a power cut could lose the name, and keep the row
    finally:
        os.close(folder)


def _copy(source: IO[bytes], target: IO[bytes]) -> tuple[str, int, str]:
    """Copy an upload, and return its hash, its size and its kind."""
    digest, size, kind = sha256(), 0, "text"
    while block := source.read(BLOCK_SIZE):
        if size == 0:
            kind = detect_kind(block)
        size += len(block)
        if size > settings.document_max_bytes:
            raise _too_large_error()
        digest.update(block)
        target.write(block)
    target.flush()
    os.fsync(target.fileno())  # an accepted upload survives a power cut
    return digest.hexdigest(), size, kind


def detect_kind(start: bytes) -> str:
    """Return the kind of a file from its first block. Browsers often name a wrong one.

    Raises:
        HTTPException: 415, the file has none of the supported kinds.
    """
    if start.lstrip(b"\xef\xbb\xbf \t\r\n\f\0").startswith(b"%PDF-"):
        return "pdf"
    text = _decode(start)
    if text is not None:
        return "html" if HTML_START.match(text, 0, 20_000) else "text"
    if b"%PDF-" in start[:1024]:  # some printers write a few lines before it
        return "pdf"
    raise HTTPException(
        415,
        "The file is not a PDF, and not HTML or text in UTF-8, or in UTF-16 with a byte"
        " order mark. If it is a text, save it as UTF-8.",
    )


def _decode(start: bytes) -> str | None:
    """Return the text of a first block, or None if it is binary."""
    is_utf_16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if is_utf_16 else "utf-8")()
    is_last = len(start) < BLOCK_SIZE  # a full block may end within a character
    try:
        text = decoder.decode(start, final=is_last)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def display_name(name: str | None) -> str:
    """Return a file's name without folders and unprintable characters."""
    *_folders, last = re.split(r"[/\\]", name or "")
    characters = [character for character in last if character.isprintable()]
    printable = "".join(characters)
    return printable[:255].strip() or "unnamed"


def _too_large_error() -> HTTPException:
    return HTTPException(
        413,
        f"The file is larger than {settings.document_max_bytes} bytes, the limit of"
        " DOCUMENT_MAX_BYTES.",
    )


class SizeLimitedRoute(APIRoute):
    """A route that stops reading a request that is too large.

    FastAPI reads the whole form before it calls a dependency.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Limit what the handler can read."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            limit = settings.document_max_bytes + FORM_OVERHEAD
            announced = request.headers.get("content-length", "0")
            if announced.isdecimal() and int(announced) > limit:
                raise _too_large_error()
            received = 0

            async def receive() -> Any:
                nonlocal received
                message = await request.receive()
                received += len(message.get("body", b""))
                if received > limit:
                    raise _too_large_error()
                return message

            return await handle(Request(request.scope, receive))

        return handle_limited

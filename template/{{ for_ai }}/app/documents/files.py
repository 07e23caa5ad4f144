"""Uploads on the disk: each lies under the hash of its content, and nowhere else.

What the user calls a file is shown to people and never becomes a path.

A document has its file as long as it has its row. So a file comes to its place, and goes from there,
only while the transaction that this belongs to holds the row. What a crash leaves is a file too many.
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

BLOCK = 1024 * 1024  # few large steps: a thread has to queue for the interpreter after each
HTML = re.compile(  # after comments and the like, if it has any
    r"\s*(?:<[!?](?!doctype)[^>]*>\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE
)
UNFINISHED = ".upload-"  # begins the name of a file as long as it is being written
ENVELOPE = 10_000  # bytes that a form may take besides the file
# Threads of its own: who holds a row must not wait behind those who wait for it.
_moving = anyio.CapacityLimiter(8)


@dataclass(frozen=True)
class Saved:
    """A file that is safely on the disk, and not yet in its place."""

    id: str
    name: str
    kind: str
    size: int
    file: Path


def path_of(document_id: str) -> Path:
    """Return where the content of a document lies."""
    return settings.documents_folder / document_id


def save(file: UploadFile) -> Iterator[Saved]:
    """Save an upload. As a `def` dependency it runs in a thread: writing never blocks the loop."""
    folder = settings.documents_folder
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, prefix=UNFINISHED, delete=False) as target:
        try:
            digest, size, kind = _copy(file.file, target.file)
            yield Saved(digest, shown_name(file.filename), kind, size, Path(target.name))
        finally:
            Path(target.name).unlink(missing_ok=True)  # it is missing once it is in its place


async def place(saved: Saved) -> None:
    """Put a saved file in its place, while its row is held."""
    await anyio.to_thread.run_sync(_place, saved, limiter=_moving)


async def remove(document_id: str) -> None:
    """Remove the file of a document, while its row is held."""
    await anyio.to_thread.run_sync(path_of(document_id).unlink, True, limiter=_moving)


def _place(saved: Saved) -> None:
    os.replace(saved.file, path_of(saved.id))
    folder = os.open(settings.documents_folder, os.O_RDONLY)
    try:
        os.fsync(folder)  # or a power cut might take the name away, and leave the row
    finally:
        os.close(folder)


def _copy(source: IO[bytes], target: IO[bytes]) -> tuple[str, int, str]:
    digest, size, kind = sha256(), 0, "text"
    while block := source.read(BLOCK):
        if size == 0:
            kind = sniff(block)
        size += len(block)
        if size > settings.document_max_bytes:
            raise _too_large()
        digest.update(block)
        target.write(block)
    target.flush()
    os.fsync(target.fileno())  # what is answered with 202 outlives a power cut
    return digest.hexdigest(), size, kind


def sniff(start: bytes) -> str:
    """Return what a file is by its first block: what the browser says of it may be wrong.

    Raises:
        HTTPException: 415, it is none of the kinds that can be read.
    """
    if start.lstrip(b"\xef\xbb\xbf \t\r\n\f\0").startswith(b"%PDF-"):
        return "pdf"  # and not wherever it stands: a text may speak of it
    encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        # A block that is full may end in the middle of a letter.
        text = codecs.getincrementaldecoder(encoding)().decode(start, final=len(start) < BLOCK)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        if b"%PDF-" in start[:1024]:  # some printers put a few lines of their own before it
            return "pdf"
        raise HTTPException(
            415,
            "This is no PDF, and no HTML or text in UTF-8, or in UTF-16 with its mark. Save it as"
            " UTF-8, if it is a text.",
        )
    return "html" if HTML.match(text, 0, 20_000) else "text"


def shown_name(name: str | None) -> str:
    """Return a file's name without folders and without what is not printable."""
    last = re.split(r"[/\\]", name or "")[-1]
    return "".join(letter for letter in last if letter.isprintable())[:255].strip() or "unnamed"


def _too_large() -> HTTPException:
    limit = settings.document_max_bytes
    return HTTPException(
        413, f"The file is larger than {limit} bytes, the limit that DOCUMENT_MAX_BYTES sets."
    )


class LimitedRoute(APIRoute):
    """A route that stops reading a request as soon as it is too large.

    FastAPI reads the whole form before anything else happens, whatever the disk can hold.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the reading of the request."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            limit = settings.document_max_bytes + ENVELOPE
            announced = request.headers.get("content-length", "0")
            if announced.isdecimal() and int(announced) > limit:
                raise _too_large()
            received = 0

            async def receive() -> Any:
                nonlocal received
                message = await request.receive()
                received += len(message.get("body", b""))
                if received > limit:
                    raise _too_large()
                return message

            return await handle(Request(request.scope, receive))

        return handle_limited

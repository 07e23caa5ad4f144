"""Uploads: limits, kinds, names, and requests that race."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
import sqlalchemy as sa
from fastapi import HTTPException
from fastapi.testclient import TestClient

from afterward.testing import EnqueuedCall
from app.documents import router, tasks
from app.documents.files import (
    BLOCK_SIZE,
    SavedUpload,
    delete_file,
    detect_kind,
    display_name,
    move_into_place,
)
from app.documents.models import Document
from app.documents.settings import settings
from app.documents.tasks import remove_file
from tests.documents.files import HTML, MARKDOWN, pdf
from tests.inside.conftest import Index, execute

AGAIN = b"Deleted, and uploaded again at once.\n"


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_upload_is_refused_while_it_arrives(
    client: TestClient,
    enqueued: list[EnqueuedCall],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    announced: bool,
) -> None:
    monkeypatch.setattr(settings, "document_max_bytes", 100_000)

    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(1000):
            yield b"x" * 10_000
        yield b"\r\n--x--\r\n"

    content = b"".join(body()) if announced else body()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/documents", content=content, headers=headers)
    detail = "The file is larger than 100000 bytes, the limit of DOCUMENT_MAX_BYTES."
    assert (response.status_code, response.json()) == (413, {"detail": detail})
    assert not folder.exists()
    assert enqueued == []


def test_the_limit_is_exact_and_a_refused_file_is_deleted(
    client: TestClient,
    enqueued: list[EnqueuedCall],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"file": ("a.md", MARKDOWN)}
    monkeypatch.setattr(settings, "document_max_bytes", len(MARKDOWN) - 1)
    assert client.post("/documents", files=files).status_code == 413
    assert list(folder.iterdir()) == []
    assert enqueued == []
    monkeypatch.setattr(settings, "document_max_bytes", len(MARKDOWN))
    assert client.post("/documents", files=files).status_code == 202


def test_a_request_without_a_file_is_refused(client: TestClient) -> None:
    assert client.post("/documents", data={"file": "text"}).status_code == 422


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (pdf("text")[:100], "pdf"),
        (HTML, "html"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "html"),
        (b"<!-- made by hand --><!doctype html>", "html"),
        (MARKDOWN, "text"),
        (b"<b>text that starts with a tag", "text"),
        (b"", "text"),
        (b"A PDF starts with %PDF-1.7, this does not.", "text"),
        (b"\xef\xbb\xbf\r\n %PDF-1.7\n", "pdf"),
        (b"@PJL\n%PDF-1.7\n%\xe2\xe3\xcf\xd3", "pdf"),
        (b"x" + "é".encode() * (BLOCK_SIZE // 2 - 1) + "é".encode()[:1], "text"),
        ("Grüße".encode("utf-16"), "text"),
    ],
)
def test_the_content_decides_the_kind(start: bytes, kind: str) -> None:
    assert detect_kind(start) == kind


@pytest.mark.parametrize(
    "start",
    [
        b"\x89PNG\r\n\x1a\n\0",
        b"MZ\x90\0",
        b"\xff\xd8\xff\xe0",
        "café".encode("latin-1"),
        "é".encode("utf-16")[:-1],
    ],
)
def test_a_binary_file_is_refused(start: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        detect_kind(start)
    assert refused.value.status_code == 415
    assert refused.value.detail == (
        "The file is not a PDF, and not HTML or text in UTF-8, or in UTF-16 with a byte"
        " order mark. If it is a text, save it as UTF-8."
    )


@pytest.mark.parametrize(
    ("name", "displayed"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\secret\\notes.md", "notes.md"),
        ("a\0b\nc.txt", "abc.txt"),
        ("..", ".."),
        ("x" * 300, "x" * 255),
        ("/", "unnamed"),
        (None, "unnamed"),
    ],
)
def test_a_file_name_is_only_displayed(name: str | None, displayed: str) -> None:
    assert display_name(name) == displayed


@pytest.mark.parametrize(("document_id", "status"), [("0" * 64, 404), ("x" * 64, 422)])
def test_an_unknown_document_is_404_and_a_malformed_id_422(
    client: TestClient, document_id: str, status: int
) -> None:
    assert client.get(f"/documents/{document_id}").status_code == status


def test_a_failed_upload_leaves_no_document_and_no_file(
    client: TestClient, index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_upload: SavedUpload) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(router, "move_into_place", fail)
    with pytest.raises(OSError, match="no space left"):
        client.post("/documents", files={"file": ("a.txt", AGAIN)})
    assert client.get("/documents").json() == []
    assert list(folder.iterdir()) == []


def test_an_idempotency_key_is_ignored(client: TestClient, index: Index) -> None:
    headers = {"Idempotency-Key": "key"}
    task_ids = set()
    for _ in range(2):
        files = {"file": ("key.txt", AGAIN)}
        response = client.post("/documents", files=files, headers=headers)
        task_ids.add(response.json()["task_id"])
    assert len(task_ids) == 2


def test_the_file_of_an_existing_document_stays(index: Index, folder: Path) -> None:
    document_id = index(AGAIN, "again.txt")["id"]
    asyncio.run(remove_file(document_id))
    assert [file.name for file in folder.iterdir()] == [document_id]


async def upload_again() -> None:
    """Upload the file, on the event loop of the task."""
    from app.main import app

    transport = httpx2.ASGITransport(app)
    files = {"file": ("again.txt", AGAIN)}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test"
    ) as client:
        response = await client.post("/documents", files=files)
    assert response.status_code == 202, response.text


def test_an_upload_waits_while_the_old_file_is_deleted(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = index(AGAIN, "again.txt")["id"]
    execute(sa.delete(Document))

    async def race() -> None:
        is_locked, is_moved = anyio.Event(), anyio.Event()

        async def delete_late(document_id: str) -> None:
            is_locked.set()
            with anyio.move_on_after(0.3):  # the upload cannot finish before
                await is_moved.wait()
            await delete_file(document_id)

        async def move_and_tell(upload: SavedUpload) -> None:
            await move_into_place(upload)
            is_moved.set()

        monkeypatch.setattr(tasks, "delete_file", delete_late)
        monkeypatch.setattr(router, "move_into_place", move_and_tell)
        async with anyio.create_task_group() as group:
            group.start_soon(remove_file, document_id)
            await is_locked.wait()
            await upload_again()

    asyncio.run(race())
    assert [file.name for file in folder.iterdir()] == [document_id]


def test_the_file_of_an_uncommitted_upload_stays(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = index(AGAIN, "again.txt")["id"]
    execute(sa.delete(Document))

    async def race() -> None:
        is_moved, is_removed = anyio.Event(), anyio.Event()

        async def commit_late(upload: SavedUpload) -> None:
            await move_into_place(upload)
            is_moved.set()
            with anyio.move_on_after(0.3):  # the task cannot end before
                await is_removed.wait()

        monkeypatch.setattr(router, "move_into_place", commit_late)
        async with anyio.create_task_group() as group:
            group.start_soon(upload_again)
            await is_moved.wait()
            await remove_file(document_id)
            is_removed.set()

    asyncio.run(race())
    assert [file.name for file in folder.iterdir()] == [document_id]

"""The domain `documents`: upload, index, search, delete."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from alembic import command
from fastapi.testclient import TestClient

from afterward.testing import EnqueuedCall, Server, wait_for
from app.database import alembic_config
from app.documents.files import document_path
from app.documents.tasks import index_document, remove_file
from tests.documents.files import HTML, MARKDOWN, pdf, upload

RunEnqueued = Callable[[], list[Any]]


def test_an_upload_is_stored_under_its_hash_and_enqueued(
    client: TestClient, enqueued: list[EnqueuedCall]
) -> None:
    document_id = upload(client, MARKDOWN, name="../../notes.md")
    assert document_id == sha256(MARKDOWN).hexdigest()
    assert document_path(document_id).read_bytes() == MARKDOWN
    assert client.get(f"/documents/{document_id}").json()["name"] == "notes.md"
    assert enqueued == [("documents.index", [document_id], {})]


def test_an_image_is_refused(client: TestClient, enqueued: list[EnqueuedCall]) -> None:
    image = ("notes.txt", b"\x89PNG\r\n\x1a\n\0\0", "text/plain")
    response = client.post("/documents", files={"file": image})
    assert response.status_code == 415
    assert response.json()["detail"].startswith("The file is not a PDF")
    assert enqueued == []


@pytest.mark.parametrize(
    ("content", "kind", "chunks"),
    [(MARKDOWN, "text", 2), (HTML, "html", 1), (pdf("Granite.", "Fog."), "pdf", 2)],
    ids=["markdown", "html", "pdf"],
)
def test_a_document_becomes_ready(
    client: TestClient,
    run_enqueued: RunEnqueued,
    content: bytes,
    kind: str,
    chunks: int,
) -> None:
    document_id = upload(client, content)
    run_enqueued()
    document = client.get(f"/documents/{document_id}").json()
    assert document.pop("created_at").endswith("Z")
    assert document == {
        "id": document_id,
        "name": "file",
        "kind": kind,
        "size": len(content),
        "state": "ready",
        "progress": 1.0,
        "reason": None,
        "chunks": chunks,
    }


def test_an_unreadable_document_fails_with_the_reason(
    client: TestClient, run_enqueued: RunEnqueued
) -> None:
    document_id = upload(client, b" \n\n ")
    run_enqueued()
    document = client.get(f"/documents/{document_id}").json()
    assert (document["state"], document["reason"]) == ("failed", "It contains no text.")


def test_a_task_that_runs_again_changes_nothing(
    client: TestClient, run_enqueued: RunEnqueued
) -> None:
    document_id = upload(client, MARKDOWN)
    run_enqueued()
    before = client.get("/documents/search", params={"q": "lighthouse"}).json()
    asyncio.run(index_document(document_id))
    after = client.get("/documents/search", params={"q": "lighthouse"}).json()
    assert before == after


def test_the_search_finds_synonyms_and_rare_words(
    client: TestClient, run_enqueued: RunEnqueued
) -> None:
    upload(client, b"Dogs and cats are kept as pets.\n", "animals.txt")
    upload(client, b"Interest on a bank loan is paid monthly.\n", "money.txt")
    upload(client, b"The part ZX81-B holds the spring.\n", "parts.txt")
    run_enqueued()
    assert best_name(client, "puppy and kitten") == "animals.txt"
    assert best_name(client, "borrowing money from a lender") == "money.txt"
    assert best_name(client, "where is zx81?") == "parts.txt"


def best_name(client: TestClient, question: str) -> str:
    """Return the name of the document that the search finds first."""
    hits = client.get("/documents/search", params={"q": question}).json()
    name: str = hits[0]["name"]
    return name


def test_a_deleted_document_is_gone_with_its_file(
    client: TestClient, run_enqueued: RunEnqueued
) -> None:
    document_id = upload(client, b"The word is xylophone.\n", "music.txt")
    run_enqueued()
    assert best_name(client, "xylophone") == "music.txt"
    assert client.delete(f"/documents/{document_id}").status_code == 204
    run_enqueued()
    assert not document_path(document_id).exists()
    assert client.get(f"/documents/{document_id}").status_code == 404
    assert client.delete(f"/documents/{document_id}").status_code == 404
    asyncio.run(remove_file(document_id))  # a second run changes nothing


def test_the_models_match_the_migrations(migrated: None) -> None:
    command.check(alembic_config())


def test_a_real_server_indexes_a_document(server: Server) -> None:
    document_id = upload(server, MARKDOWN, "harbour.md")
    path = f"/documents/{document_id}"
    wait_for(lambda: server.get(path).json()["state"] == "ready", "the document")

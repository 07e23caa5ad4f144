"""Indexing: failures, repetitions, and runs that are stale."""

import asyncio
from hashlib import sha256

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.documents import embedder, extract_process, tasks
from app.documents.embedder import EmbedderError
from app.documents.models import Chunk, Document
from app.documents.settings import DocumentSettings, settings
from app.documents.tasks import index_document
from tests.documents.files import pdf
from tests.inside.conftest import Index, execute
from tests.inside.test_extraction import UNREADABLE

TEXT = b"Indexed while something else happens.\n"
TEXT_ID = sha256(TEXT).hexdigest()


def chunks_of(document_id: str) -> list[tuple[int, str]]:
    """Return the chunks of a document."""
    is_in_document = Chunk.document_id == document_id
    query = sa.select(Chunk.position, Chunk.text).where(is_in_document)
    return [(row.position, row.text) for row in execute(query.order_by(Chunk.position))]


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_document_fails(index: Index, name: str) -> None:
    _kind, content, reason = UNREADABLE[name]
    document = index(content, "bad")
    assert (document["state"], document["chunks"]) == ("failed", 0)
    assert document["reason"].startswith(reason)


def test_a_document_of_too_many_chunks_fails(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "document_max_chunks", 3)
    document = index(b"# A\n\nsome words of text\n\n" * 4 + b"too many", "long.md")
    assert document["reason"] == "It is too long: more than 3 chunks."
    assert chunks_of(document["id"]) == []


def test_a_document_that_takes_too_long_fails(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "document_timeout", 0.01)
    monkeypatch.setattr(extract_process, "WAIT_FACTOR", 1e6)
    document = index(pdf("never read"), "slow.pdf")
    assert document["reason"] == "It took more than 0.01 seconds of CPU time."


def test_a_busy_machine_is_an_error_that_is_retried(
    index: Index, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract_process, "WAIT_FACTOR", 0)
    with pytest.raises(TimeoutError):
        index(b"never read", "waits.md")
    [failed] = client.get("/documents").json()
    assert failed["reason"] == "Processing failed (TimeoutError)."


def test_a_failing_embedder_is_an_error_that_is_retried(
    index: Index, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_texts: list[str]) -> list[list[float]]:
        raise EmbedderError("ConnectError")

    monkeypatch.setattr(embedder, "embed", fail)
    with pytest.raises(EmbedderError):
        index(TEXT, "down.txt")
    [failed] = client.get("/documents").json()
    assert failed["reason"] == "Processing failed (EmbedderError)."


def test_another_upload_restarts_a_failed_document(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as narrow:
        narrow.setattr(settings, "document_max_chunks", 0)
        assert index(TEXT, "a.txt")["state"] == "failed"
    assert index(TEXT, "a.txt")["state"] == "ready"


def test_the_same_content_is_one_document(index: Index) -> None:
    first, second = index(TEXT, "first.txt"), index(TEXT, "second.txt")
    assert first | {"name": "second.txt"} == second
    assert chunks_of(TEXT_ID) == [(0, TEXT.decode().strip())]


def test_a_resumed_run_stores_each_chunk_once(index: Index) -> None:
    document_id = index(b"# A\n\nOne.\n\n# B\n\nTwo.\n", "two.md")["id"]
    before = chunks_of(document_id)
    is_second = Chunk.position > 0
    crashed = sa.update(Document).values(state="processing")
    execute(crashed, sa.delete(Chunk).where(is_second))
    asyncio.run(index_document(document_id))
    assert chunks_of(document_id) == before
    assert len(before) == 2


def test_another_embedder_indexes_again(index: Index) -> None:
    document_id = index(TEXT, "v.txt")["id"]
    execute(sa.update(Document).values(embedder="other"))
    asyncio.run(index_document(document_id))
    [(name,)] = execute(sa.select(Document.embedder))
    assert (name, len(chunks_of(document_id))) == (embedder.embedder_name(), 1)


def test_a_run_stops_when_another_embedder_has_restarted(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deploy_first(texts: list[str]) -> list[list[float]]:
        monkeypatch.setattr(embedder, "embedder_name", lambda: "new")
        await tasks._start_run(TEXT_ID)
        return [[1.0, 0.0] for _ in texts]

    monkeypatch.setattr(embedder, "embed", deploy_first)
    document = index(TEXT, "deployed.txt")
    [(name,)] = execute(sa.select(Document.embedder))
    assert (document["state"], name) == ("processing", "new")
    assert chunks_of(TEXT_ID) == []


def test_a_run_stops_when_the_document_is_deleted(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = embedder.embed

    async def delete_first(texts: list[str]) -> list[list[float]]:
        execute(sa.delete(Document))
        return await embed(texts)

    monkeypatch.setattr(embedder, "embed", delete_first)
    missing = {"detail": f"There is no document {TEXT_ID}."}
    assert index(TEXT, "a.txt") == missing
    assert chunks_of(TEXT_ID) == []


def test_a_stale_run_does_not_change_a_later_upload(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(TEXT, "old.txt")
    execute(sa.update(Document).values(state="waiting"))
    new = {"id": TEXT_ID, "name": "new", "kind": "text", "size": 1}

    async def replace_first(_texts: list[str]) -> list[list[float]]:
        upload = sa.insert(Document).values(**new, state="processing")
        execute(sa.delete(Document), upload)
        raise ConnectionError

    monkeypatch.setattr(embedder, "embed", replace_first)
    with pytest.raises(ConnectionError):
        asyncio.run(index_document(TEXT_ID))
    [row] = execute(sa.select(Document.name, Document.state))
    assert tuple(row) == ("new", "processing")


@pytest.mark.parametrize("seconds", ["0", "86401", "1e300", "inf", "nan"])
def test_a_time_limit_is_at_most_a_day(seconds: str) -> None:
    with pytest.raises(ValidationError, match="document_timeout"):
        DocumentSettings.model_validate({"document_timeout": seconds})

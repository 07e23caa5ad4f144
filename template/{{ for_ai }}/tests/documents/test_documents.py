"""The domain `documents`."""

import json
import socket
import sqlite3
import traceback
from array import array
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from pydantic import SecretStr, ValidationError

from app import database
from app.documents import embedder, reading, router, tasks, vectors
from app.documents.embedder import EmbedderError, OpenAI
from app.documents.files import Saved, place, remove
from app.documents.models import Chunk, Document
from app.documents.settings import DocumentSettings, settings
from app.documents.tasks import process, remove_file
from tests.documents.conftest import Process, run
from tests.documents.files import NOTES, PAGE, pdf
from tests.documents.test_extract import BAD
from tests.servers import Project, wait_for

Calls = list[tuple[str, list[Any], dict[str, Any]]]


def test_the_upload_is_saved_under_its_hash_and_enqueued(
    client: TestClient, enqueued: Calls, folder: Path
) -> None:
    answer = client.post(
        "/documents", files={"file": ("../../evil.md", NOTES, "image/png")}
    )
    document_id = sha256(NOTES).hexdigest()
    assert (answer.status_code, answer.json()["document_id"]) == (202, document_id)
    assert [file.name for file in folder.iterdir()] == [document_id]
    assert (folder / document_id).read_bytes() == NOTES
    assert enqueued == [("documents.process", [document_id], {})]
    shown = client.get(f"/documents/{document_id}").json()
    assert (shown["name"], shown["kind"]) == ("evil.md", "text")


@pytest.mark.parametrize("announced", [True, False])
def test_what_is_too_large_is_refused_while_it_comes(
    client: TestClient,
    enqueued: Calls,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    announced: bool,
) -> None:
    monkeypatch.setattr(settings, "document_max_bytes", 100_000)
    taken = 0

    def body() -> Iterator[bytes]:
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(1000):
            taken += 1
            yield b"x" * 10_000
        yield b"\r\n--x--\r\n"

    content = b"".join(body()) if announced else body()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/documents", content=content, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "The file is larger than 100000 bytes, the limit that DOCUMENT_MAX_BYTES sets.",
    )
    assert not folder.exists()
    assert enqueued == []


def test_a_file_that_just_fits_into_the_form_but_not_the_limit_leaves_nothing(
    client: TestClient, enqueued: Calls, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "document_max_bytes", len(NOTES) - 1)
    assert client.post("/documents", files={"file": ("a.md", NOTES)}).status_code == 413
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(settings, "document_max_bytes", len(NOTES))
    assert client.post("/documents", files={"file": ("a.md", NOTES)}).status_code == 202


def test_a_picture_is_refused_whatever_it_calls_itself(
    client: TestClient, enqueued: Calls, folder: Path
) -> None:
    picture = ("notes.txt", b"\x89PNG\r\n\x1a\n\0\0", "text/plain")
    assert client.post("/documents", files={"file": picture}).status_code == 415
    assert (list(folder.iterdir()), enqueued) == ([], [])


def test_a_request_without_a_file_is_refused(
    client: TestClient, enqueued: Calls
) -> None:
    assert client.post("/documents", data={"file": "text"}).status_code == 422


@pytest.mark.parametrize(
    ("content", "kind", "count"),
    [(NOTES, "text", 2), (PAGE, "html", 1), (pdf("Granite.", "Fog."), "pdf", 2)],
)
def test_a_document_becomes_ready(
    processed: Process, content: bytes, kind: str, count: int
) -> None:
    done = processed(content, "document")
    assert done.pop("created_at").endswith("Z")
    assert done == {
        "id": sha256(content).hexdigest(),
        "name": "document",
        "kind": kind,
        "size": len(content),
        "state": "ready",
        "progress": 1.0,
        "reason": None,
        "chunks": count,
    }


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_fails_with_its_reason(processed: Process, name: str) -> None:
    _kind, content, reason = BAD[name]
    done = processed(content, "bad")
    assert (done["state"], done["chunks"]) == ("failed", 0)
    assert done["reason"].startswith(reason)


def test_a_document_of_too_many_chunks_fails(
    processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "document_max_chunks", 3)
    done = processed(b"# A\n\nsome words of text\n\n" * 4 + b"too many", "long.md")
    assert (done["state"], done["reason"]) == (
        "failed",
        "It is too long: more than 3 chunks.",
    )
    assert stored(done["id"]) == []


def test_a_reader_that_waits_for_ever_is_an_error_and_so_is_tried_again(
    processed: Process, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BUSY", 0)
    with pytest.raises(TimeoutError):
        processed(b"never read", "waits.md")
    [failed] = client.get("/documents").json()
    assert (failed["state"], failed["reason"]) == (
        "failed",
        "It could not be processed (TimeoutError).",
    )


def test_a_document_that_takes_too_long_fails(
    processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "document_timeout", 0.01)
    monkeypatch.setattr(reading, "BUSY", 1e6)
    done = processed(pdf("never read"), "slow.pdf")
    reason = "Reading it took longer than 0.01 seconds of computing."
    assert (done["state"], done["reason"]) == ("failed", reason)


def test_an_upload_after_a_failure_starts_over(
    processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"Read at the second attempt.\n"
    with monkeypatch.context() as narrow:
        narrow.setattr(settings, "document_max_chunks", 0)
        assert processed(content, "a.txt")["state"] == "failed"
    assert processed(content, "a.txt")["state"] == "ready"


def test_the_same_content_is_one_document(
    client: TestClient, processed: Process
) -> None:
    content = b"The same letters under two names.\n"
    first, second = processed(content, "first.txt"), processed(content, "second.txt")
    assert first | {"name": "second.txt"} == second
    assert stored(first["id"]) == [(0, "The same letters under two names.")]


def test_to_process_it_twice_stores_it_once(processed: Process) -> None:
    done = processed(b"Once and\n\nfor all.\n", "once.txt")
    before = stored(done["id"])
    mend = (
        sa.update(Document).where(Document.id == done["id"]).values(state="processing")
    )
    database.execute(
        mend, sa.delete(Chunk).where(Chunk.position > 0)
    )  # as a crash leaves it
    run(process(done["id"]))
    assert stored(done["id"]) == before


def test_after_a_change_of_the_embedder_it_is_processed_anew(
    processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = processed(b"Vectors of another length.\n", "v.txt")
    other = (
        sa.update(Document).where(Document.id == done["id"]).values(embedder="other")
    )
    database.execute(other)
    run(process(done["id"]))
    [(name,)] = database.execute(
        sa.select(Document.embedder).where(Document.id == done["id"])
    )
    assert (name, len(stored(done["id"]))) == (embedder.name(), 1)


def test_what_is_not_the_documents_fault_is_raised(
    client: TestClient, processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(_texts: list[str]) -> list[list[float]]:
        raise EmbedderError("ConnectError")

    monkeypatch.setattr(embedder, "embed", unreachable)
    content = b"The endpoint of the embedder is down.\n"
    with pytest.raises(EmbedderError):
        processed(content, "down.txt")
    now = client.get(f"/documents/{sha256(content).hexdigest()}").json()
    assert (now["state"], now["reason"]) == (
        "failed",
        "It could not be processed (EmbedderError).",
    )


def test_a_run_gives_up_what_another_embedder_has_begun_anew(
    processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deploy_first(texts: list[str]) -> list[list[float]]:
        monkeypatch.setattr(embedder, "name", lambda: "new")
        await tasks._begin(sha256(AGAIN).hexdigest())
        return [[1.0, 0.0] for _ in texts]

    monkeypatch.setattr(embedder, "embed", deploy_first)
    done = processed(AGAIN, "deployed.txt")
    [(name,)] = database.execute(
        sa.select(Document.embedder).where(Document.id == done["id"])
    )
    assert (done["state"], name, stored(done["id"])) == ("processing", "new", [])


KEY = "sk-this-is-secret"


def endpoint(
    monkeypatch: pytest.MonkeyPatch, answer: httpx2.Response
) -> list[httpx2.Request]:
    """Let an endpoint answer that, and return what it is asked."""
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer

    transport = httpx2.MockTransport(handle)
    monkeypatch.setattr(httpx2, "Client", partial(httpx2.Client, transport=transport))
    return asked


def vectors_of(*embeddings: Any) -> str:
    """Return an answer with these vectors, the last one first."""
    data = [{"index": n, "embedding": each} for n, each in enumerate(embeddings)]
    return json.dumps({"data": data[::-1]})


def test_an_endpoint_is_sent_texts_and_gives_a_vector_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = httpx2.Response(200, text=vectors_of([1, 0], [0.5, -1.5]))
    asked = endpoint(monkeypatch, answer)
    monkeypatch.setattr(settings, "embedder_url", "http://embedder/v1/")
    monkeypatch.setattr(settings, "embedder_key", SecretStr(KEY))
    assert OpenAI().embed(["one", "two"]) == [[1.0, 0.0], [0.5, -1.5]]
    [request] = asked
    assert str(request.url) == "http://embedder/v1/embeddings"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {
        "model": "text-embedding-3-small",
        "input": ["one", "two"],
    }


FOR_EACH = "it does not answer with a vector for each text"
NUMBERS = "it does not answer with vectors of numbers"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, "", "HTTP 500"),
        (302, "", "HTTP 302"),
        (200, "<html>Welcome</html>", NUMBERS),
        (200, '{"data": null}', NUMBERS),
        (200, vectors_of([1, 0], ["a", "b"]), NUMBERS),
        (200, vectors_of([1, 0], [0, float("nan")]), NUMBERS),
        (200, vectors_of([1, 0], [0, float("-inf")]), NUMBERS),
        (200, vectors_of([1, 0], [0, 1e39]), NUMBERS),
        (200, vectors_of([], []), NUMBERS),
        (200, vectors_of(), FOR_EACH),
        (200, vectors_of([1, 0]), FOR_EACH),
        (200, vectors_of([1, 0], [0, 1], [1, 1]), FOR_EACH),
        (200, vectors_of([1, 0], [0, 1, 1]), FOR_EACH),
    ],
)
def test_an_endpoint_that_gives_no_vectors_is_an_error_that_says_why(
    status: int, body: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint(monkeypatch, httpx2.Response(status, text=body))
    with pytest.raises(EmbedderError) as failed:
        OpenAI().embed(["one", "two"])
    assert str(failed.value) == f"The embedder failed ({why})."


@pytest.mark.parametrize(
    ("url", "why"),
    [("garbage", "UnsupportedProtocol"), ("http://[::1", "InvalidURL")],
)
def test_while_the_embedder_fails_a_search_is_503_and_a_line_in_the_log(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str,
    why: str,
) -> None:
    monkeypatch.setattr(settings, "embedder_url", url)
    monkeypatch.setattr(embedder, "_load", OpenAI)
    answer = client.get("/documents/search?q=granite")
    assert answer.headers["content-type"] == "application/problem+json"
    told = f"The embedder failed ({why})."
    assert answer.json() == {
        "title": "Service Unavailable",
        "status": 503,
        "detail": told,
    }
    ours = [
        (r.getMessage(), r.exc_info) for r in caplog.records if r.name.startswith("app")
    ]
    assert ours == [(f"a search failed: {told}", None)]


def test_a_key_that_cannot_be_sent_is_in_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "embedder_key", SecretStr(f"{KEY}\n"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr(settings, "embedder_url", f"http://127.0.0.1:{port}")
        with pytest.raises(EmbedderError) as failed:
            OpenAI().embed(["text"])
    assert str(failed.value) == "The embedder failed (LocalProtocolError)."
    assert KEY not in "".join(traceback.format_exception(failed.value))


def test_of_a_key_the_line_break_at_its_end_is_left_out() -> None:
    key = DocumentSettings.model_validate({"embedder_key": f" {KEY}\r\n"}).embedder_key
    assert (key and key.get_secret_value(), str(key)) == (KEY, "**********")


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY}\0", f"{KEY}é"])
def test_a_key_that_no_header_takes_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="embedder_key") as refusal:
        DocumentSettings.model_validate({"embedder_key": key})
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize("seconds", ["0", "86401", "1e300", "inf", "nan"])
def test_a_time_limit_is_at_most_a_day(seconds: str) -> None:
    with pytest.raises(ValidationError, match="document_timeout"):
        DocumentSettings.model_validate({"document_timeout": seconds})


def test_a_deleted_document_is_gone_with_its_chunks_and_its_file(
    client: TestClient, processed: Process, enqueued: Calls, folder: Path
) -> None:
    document_id = processed(b"To be forgotten: xylophone.\n", "gone.txt")["id"]
    assert client.delete(f"/documents/{document_id}").status_code == 204
    assert client.get(f"/documents/{document_id}").status_code == 404
    assert client.delete(f"/documents/{document_id}").status_code == 404
    assert stored(document_id) == []
    assert "gone.txt" not in names(client, "xylophone")
    assert enqueued[-1] == ("documents.remove_file", [document_id], {})
    run(remove_file(document_id))
    run(remove_file(document_id))  # as after a crash
    assert list(folder.iterdir()) == []


def test_a_key_holds_back_no_document_that_was_deleted_meanwhile(
    server: Project,
) -> None:
    def upload() -> str:
        files = {"file": ("key.txt", b"Sent with a key.\n")}
        answer = server.post(
            "/documents", files=files, headers={"Idempotency-Key": "k"}
        )
        path = f"/documents/{answer.json()['document_id']}"
        wait_for(lambda: server.get(path).json()["state"] == "ready", "the document")
        return path

    assert server.delete(upload()).status_code == 204
    upload()


def test_the_file_of_a_document_that_is_there_again_stays(
    processed: Process, folder: Path
) -> None:
    document_id = processed(b"Uploaded again.\n", "again.txt")["id"]
    run(remove_file(document_id))
    assert [file.name for file in folder.iterdir()] == [document_id]


AGAIN = b"Deleted, and there again at once.\n"


async def upload_again() -> None:
    """Upload it, on the loop that the task runs on."""
    from app.main import app

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test"
    ) as client:
        answer = await client.post("/documents", files={"file": ("again.txt", AGAIN)})
    assert answer.status_code == 202, answer.text


def test_an_upload_waits_while_the_file_of_the_deleted_one_is_removed(
    processed: Process, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = processed(AGAIN, "again.txt")["id"]
    database.execute(sa.delete(Document))

    async def both() -> None:
        held, placed = anyio.Event(), anyio.Event()

        async def remove_late(document_id: str) -> None:
            held.set()
            with anyio.move_on_after(0.3):  # the upload cannot get there before
                await placed.wait()
            await remove(document_id)

        async def place_and_tell(saved: Saved) -> None:
            await place(saved)
            placed.set()

        monkeypatch.setattr(tasks, "remove", remove_late)
        monkeypatch.setattr(router, "place", place_and_tell)
        async with anyio.create_task_group() as group:
            group.start_soon(remove_file, document_id)
            await held.wait()
            await upload_again()

    run(both())
    assert [file.name for file in folder.iterdir()] == [document_id]


def test_the_file_of_an_upload_that_is_not_yet_committed_stays(
    processed: Process, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = processed(AGAIN, "again.txt")["id"]
    database.execute(sa.delete(Document))

    async def both() -> None:
        placed, removed = anyio.Event(), anyio.Event()

        async def commit_late(saved: Saved) -> None:
            await place(saved)
            placed.set()
            with anyio.move_on_after(0.3):  # the task cannot end before
                await removed.wait()

        monkeypatch.setattr(router, "place", commit_late)
        async with anyio.create_task_group() as group:
            group.start_soon(upload_again)
            await placed.wait()
            await remove_file(document_id)
            removed.set()

    run(both())
    assert [file.name for file in folder.iterdir()] == [document_id]


def test_an_upload_that_is_not_committed_leaves_no_document_and_no_half_of_a_file(
    client: TestClient,
    processed: Process,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(_saved: Saved) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(router, "place", full)
    with pytest.raises(OSError, match="no space left"):
        client.post("/documents", files={"file": ("a.txt", AGAIN)})
    assert client.get("/documents").json() == []
    assert list(folder.iterdir()) == []


def test_a_run_for_a_document_that_was_deleted_leaves_its_successor_alone(
    processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = processed(AGAIN, "again.txt")["id"]
    database.execute(sa.update(Document).values(state="waiting"))
    new = {
        "id": document_id,
        "name": "new",
        "kind": "text",
        "size": 1,
        "state": "processing",
    }

    async def replace_first(_texts: list[str]) -> list[list[float]]:
        database.execute(sa.delete(Document), sa.insert(Document).values(**new))
        raise ConnectionError

    monkeypatch.setattr(embedder, "embed", replace_first)
    with pytest.raises(ConnectionError):
        run(process(document_id))
    [found] = database.execute(sa.select(Document.name, Document.state))
    assert tuple(found) == ("new", "processing")


def test_a_document_that_is_deleted_meanwhile_stops_its_task(
    client: TestClient, processed: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = sha256(b"Deleted meanwhile.\n").hexdigest()
    embed = embedder.embed

    async def delete_first(texts: list[str]) -> list[list[float]]:
        database.execute(sa.delete(Document).where(Document.id == document_id))
        return await embed(texts)

    monkeypatch.setattr(embedder, "embed", delete_first)
    assert processed(b"Deleted meanwhile.\n", "a.txt")["status"] == 404
    assert stored(document_id) == []


@pytest.mark.parametrize("document_id", ["0" * 64, "../../etc/passwd", "x" * 64])
def test_an_unknown_document_is_404_and_a_malformed_id_422(
    client: TestClient, document_id: str
) -> None:
    known = {"0" * 64: 404, "x" * 64: 422}
    assert client.get(f"/documents/{document_id}").status_code == known.get(
        document_id, 404
    )


def test_the_list_begins_with_the_newest(
    client: TestClient, processed: Process
) -> None:
    ids = [processed(f"Entry {n}.\n".encode(), f"{n}.txt")["id"] for n in range(2)]
    listed = [found["id"] for found in client.get("/documents?limit=2").json()]
    assert listed == ids[::-1]


def test_search_finds_by_meaning_and_by_word(
    client: TestClient, processed: Process
) -> None:
    processed(b"Dogs and cats are kept as pets.\n", "animals.txt")
    processed(b"Interest on a bank loan is paid monthly.\n", "money.txt")
    processed(b"The part ZX81-B holds the spring.\n", "parts.txt")
    assert names(client, "puppy and kitten")[0] == "animals.txt"
    assert names(client, "borrowing money from a lender")[0] == "money.txt"
    assert names(client, "where is zx81?") == [
        "parts.txt"
    ]  # the others are only less far than none
    scores = [
        found["score"] for found in client.get("/documents/search?q=spring").json()
    ]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    "q", ['" OR *', "NEAR(", "a:b", "'; DROP TABLE chunks; --", "!?", "&|"]
)
def test_search_takes_any_text(client: TestClient, q: str) -> None:
    answer = client.get("/documents/search", params={"q": q})
    assert answer.status_code == 200, answer.text


def test_only_ready_documents_are_found(client: TestClient, processed: Process) -> None:
    document_id = processed(b"Quetzal feathers.\n", "bird.txt")["id"]
    assert names(client, "quetzal")[0] == "bird.txt"
    half = (
        sa.update(Document).where(Document.id == document_id).values(state="processing")
    )
    database.execute(half)
    assert "bird.txt" not in names(client, "quetzal")


def test_vectors_of_another_length_are_no_hindrance(
    client: TestClient, processed: Process
) -> None:
    other = processed(b"Interest on a bank loan is paid monthly.\n", "money.txt")["id"]
    processed(b"Dogs and cats are kept as pets.\n", "animals.txt")
    mend = sa.update(Chunk).where(Chunk.document_id == other).values(vector=[1.0, 0.0])
    database.execute(mend)
    assert names(client, "puppy and kitten") == ["animals.txt"]
    assert names(client, "loan") == ["money.txt", "animals.txt"]  # by its words


def test_the_database_computes_the_distance() -> None:
    left, right, far = ([1.0, 0.0], [1.0, 1.0], [-1.0, 0.0])
    packed = [array("f", v).tobytes() for v in (left, right, far)]
    with closing(sqlite3.connect(":memory:")) as connection:
        vectors.prepare(connection)
        query = "SELECT vec_distance_cosine(?, ?), vec_distance_cosine(?, ?)"
        found = connection.execute(
            query, [packed[0], packed[1], packed[0], packed[2]]
        ).fetchone()
    by_hand = (
        vectors.distance(packed[0], packed[1]),
        vectors.distance(packed[0], packed[2]),
    )
    assert found == pytest.approx((0.29289, 2.0), abs=1e-5)
    assert by_hand == pytest.approx(found, abs=1e-6)  # where SQLite loads no extension


def test_the_models_are_what_the_migrations_make(migrated: None) -> None:
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    command.check(config)


def test_the_real_server_does_it(server: Project) -> None:
    files = {"file": ("harbour.md", NOTES)}
    answer = server.post("/documents", files=files)
    assert answer.status_code == 202
    path = f"/documents/{answer.json()['document_id']}"
    wait_for(lambda: server.get(path).json()["state"] == "ready", "the document")
    found = server.get("/documents/search?q=lighthouse&limit=1").json()
    assert [each["name"] for each in found] == ["harbour.md"]


@pytest.mark.faults  # at any moment, ten times; the moments that matter have tests above
def test_who_deletes_and_uploads_again_at_once_keeps_the_file(server: Project) -> None:
    contents = [f"Deleted and there again, number {n}.\n".encode() for n in range(10)]
    for content in contents:
        files = {"file": ("again.txt", content)}
        path = (
            f"/documents/{server.post('/documents', files=files).json()['document_id']}"
        )
        assert server.delete(path).status_code == 204
        assert server.post("/documents", files=files).status_code == 202
    for content in contents:
        path = f"/documents/{sha256(content).hexdigest()}"
        ended = partial(has_ended, server, path)
        assert wait_for(ended, path)["state"] == "ready"


def has_ended(server: Project, path: str) -> dict[str, Any] | None:
    """Return a document when nothing more is done for it."""
    found: dict[str, Any] = server.get(path).json()
    return found if found["state"] in ("ready", "failed") else None


def test_after_bad_documents_the_real_server_is_up(server: Project) -> None:
    for _kind, content, _reason in BAD.values():
        assert (
            server.post("/documents", files={"file": ("bad", content)}).status_code
            == 202
        )
    for _kind, content, _reason in BAD.values():
        wait_for(
            partial(has_failed, server, sha256(content).hexdigest()), "the failure"
        )
    assert server.get("/health/ready").json() == {"status": "ok", "degraded": []}


def has_failed(server: Project, document_id: str) -> bool:
    """Tell whether a document has failed."""
    return bool(server.get(f"/documents/{document_id}").json()["state"] == "failed")


def names(client: TestClient, question: str) -> list[str]:
    """Return the names of the documents that are found, the best first."""
    found = client.get("/documents/search", params={"q": question}).json()
    return [each["name"] for each in found]


def stored(document_id: str) -> list[tuple[int, str]]:
    """Return the chunks of a document."""
    chunks = sa.select(Chunk.position, Chunk.text).where(
        Chunk.document_id == document_id
    )
    return [
        (row.position, row.text)
        for row in database.execute(chunks.order_by(Chunk.position))
    ]

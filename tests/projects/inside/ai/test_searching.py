"""Search: any question, only searchable documents, and the distance of vectors."""

import sqlite3
from array import array
from contextlib import closing

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.documents import vectors
from app.documents.models import Chunk, Document
from tests.inside.conftest import Index, execute


def names(client: TestClient, question: str) -> list[str]:
    """Return the names of the documents that the search finds, best first."""
    hits = client.get("/documents/search", params={"q": question}).json()
    return [hit["name"] for hit in hits]


QUESTIONS = ['" OR *', "NEAR(", "a:b", "'; DROP TABLE chunks; --", "!?", "&|", "the"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_any_text_is_a_question(client: TestClient, question: str) -> None:
    response = client.get("/documents/search", params={"q": question})
    assert response.status_code == 200, response.text


def test_a_leading_hit_hides_those_that_are_only_near(
    client: TestClient, index: Index
) -> None:
    index(b"Dogs and cats are kept as pets.\n", "animals.txt")
    index(b"The part ZX81-B holds the spring.\n", "parts.txt")
    assert names(client, "where is zx81?") == ["parts.txt"]
    hits = client.get("/documents/search?q=spring").json()
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_only_ready_documents_are_found(client: TestClient, index: Index) -> None:
    index(b"Quetzal feathers.\n", "bird.txt")
    assert names(client, "quetzal") == ["bird.txt"]
    execute(sa.update(Document).values(state="processing"))
    assert names(client, "quetzal") == []


def test_the_newest_document_is_first(client: TestClient, index: Index) -> None:
    ids = [index(f"Entry {n}.\n".encode(), f"{n}.txt")["id"] for n in range(2)]
    listed = [found["id"] for found in client.get("/documents?limit=2").json()]
    assert listed == ids[::-1]


def test_vectors_of_another_length_are_ignored(
    client: TestClient, index: Index
) -> None:
    other = index(b"Interest on a bank loan is paid monthly.\n", "money.txt")["id"]
    index(b"Dogs and cats are kept as pets.\n", "animals.txt")
    is_other = Chunk.document_id == other
    execute(sa.update(Chunk).where(is_other).values(vector=[1.0, 0.0]))
    assert names(client, "puppy and kitten") == ["animals.txt"]
    assert names(client, "loan") == ["money.txt", "animals.txt"]  # by its words


def test_sqlite_computes_the_distance() -> None:
    left, right, far = ([1.0, 0.0], [1.0, 1.0], [-1.0, 0.0])
    packed = [array("f", vector).tobytes() for vector in (left, right, far)]
    with closing(sqlite3.connect(":memory:")) as connection:
        vectors.add_distance(connection)
        query = "SELECT vec_distance_cosine(?, ?), vec_distance_cosine(?, ?)"
        arguments = [packed[0], packed[1], packed[0], packed[2]]
        computed = connection.execute(query, arguments).fetchone()
    expected = [vectors.compute_distance(packed[0], each) for each in packed[1:]]
    assert computed == pytest.approx((0.29289, 2.0), abs=1e-5)
    assert computed == pytest.approx(expected, abs=1e-6)

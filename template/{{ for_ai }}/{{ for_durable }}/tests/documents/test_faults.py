"""Faults while a document is processed: `uv run poe faults` runs these too."""

from typing import Any

import pytest

from tests.servers import Project, wait_for

pytestmark = pytest.mark.faults
PARTS = 3000


def state(server: Project, document_id: str) -> Any:
    """Return state, progress and number of chunks from the document's row."""
    query = f"SELECT state, progress, chunks FROM documents WHERE id = '{document_id}'"
    [found] = server.query(query)
    return found


def positions(server: Project, document_id: str) -> list[int]:
    """Return the places of the chunks that are stored."""
    query = f"SELECT position FROM chunks WHERE document_id = '{document_id}' ORDER BY position"
    return [row.position for row in server.query(query)]


def test_kill_9_in_the_middle_of_a_document_indexes_it_once(server: Project) -> None:
    content = "".join(
        f"# Part {n}\n\nA paragraph of part {n}.\n\n" for n in range(PARTS)
    )
    accepted = server.post(
        "/documents", files={"file": ("parts.md", content.encode())}
    ).json()
    document_id = accepted["document_id"]
    wait_for(lambda: positions(server, document_id), "the first chunks")
    server.kill(server.runner)
    left = positions(server, document_id)
    assert 0 < len(left) < PARTS
    assert state(server, document_id).state == "processing"
    server.start()
    assert server.status(accepted["task_id"])["attempts"] == 2
    done = state(server, document_id)
    assert (done.state, done.progress, done.chunks) == ("ready", 1.0, PARTS)
    assert positions(server, document_id) == list(range(PARTS))
    [found] = server.get(
        f"/documents/search?q=paragraph+of+part+{PARTS - 1}&limit=1"
    ).json()
    assert found["position"] == PARTS - 1

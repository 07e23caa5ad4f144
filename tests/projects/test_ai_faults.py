"""Projects with AI: every process is killed while a document is indexed."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bgscaffold.verify.suite.waiting import until
from tests.projects.environments import Environment

PARTS = 3000
PARAGRAPHS = [f"# Part {n}\n\nA paragraph of part {n}.\n\n" for n in range(PARTS)]
CHUNKS = "SELECT position FROM chunks ORDER BY position"


def query(project: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the project's database."""
    with closing(sqlite3.connect(project / "var" / "app.db", timeout=30)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("pattern", ["safe", "celery"])
def test_a_killed_run_is_resumed_without_duplicates(
    pattern: str, rendered: Callable[..., Path], newest: Environment
) -> None:
    project = rendered(pattern, ai=True)
    with newest.dev(project) as dev:
        document_id = dev.upload("parts.md", "".join(PARAGRAPHS).encode())
        until(lambda: query(project, CHUNKS), lambda: f"the first chunk\n{dev.screen}")
    # Leaving the block has killed every process.
    assert 0 < len(query(project, CHUNKS)) < PARTS
    assert query(project, "SELECT state FROM documents") == [("processing",)]
    with newest.dev(project, TASK_LEASE="1") as dev:
        path = f"/documents/{document_id}"
        until(
            lambda: dev.get(path)["state"] == "ready",
            lambda: f"{dev.get(path)}\n{dev.screen}",
        )
        assert dev.get(path)["chunks"] == PARTS
        last = dev.get("/documents/search", q=f"paragraph of part {PARTS - 1}")[0]
        assert last["position"] == PARTS - 1
    assert query(project, CHUNKS) == [(position,) for position in range(PARTS)]
    attempts = "SELECT attempts FROM task_runs WHERE name = 'documents.index'"
    assert query(project, attempts) == [(2,)]

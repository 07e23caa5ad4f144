"""Fixtures of the tests that run inside a project with AI.

The application is imported late, when its settings are those of the tests.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.documents.files import upload

Index = Callable[[bytes, str], dict[str, Any]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the documents: a new one for each test."""
    from app.documents.settings import settings

    monkeypatch.setattr(settings, "documents_folder", tmp_path / "documents")
    return tmp_path / "documents"


@pytest.fixture
def index(client: TestClient, run_enqueued: Callable[[], list[Any]]) -> Index:
    """Return a function that uploads and indexes a document, and returns its state."""
    import sqlalchemy as sa

    from app.documents.models import Document

    execute(sa.delete(Document))  # of earlier tests

    def upload_and_index(content: bytes, name: str) -> dict[str, Any]:
        document_id = upload(client, content, name)
        run_enqueued()
        state: dict[str, Any] = client.get(f"/documents/{document_id}").json()
        return state

    return upload_and_index


def execute(*statements: Any) -> list[Any]:
    """Execute statements in one transaction, and return the rows of the last."""
    from app.database import sync_engine

    rows: list[Any] = []
    with sync_engine().begin() as connection:
        for statement in statements:
            result = connection.execute(statement)
            rows = list(result) if result.returns_rows else []
    return rows

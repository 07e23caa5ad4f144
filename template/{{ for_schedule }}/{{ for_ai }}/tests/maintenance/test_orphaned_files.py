"""The task that deletes files which belong to no document."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.documents.settings import settings
from app.maintenance.tasks.orphaned_files import MIN_AGE, delete_orphaned_files
from tests.documents.files import upload


@pytest.mark.usefixtures("enqueued")
def test_orphaned_files_are_deleted_after_a_day(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "documents_folder", tmp_path)
    document_id = upload(client, b"A document that stays.\n")
    old = {document_id, "a" * 64, ".upload-old", "notes.txt"}
    new = {"b" * 64, ".upload-new"}
    for name in old | new:
        (tmp_path / name).touch()
    for name in old:
        moment = time.time() - MIN_AGE - 60
        os.utime(tmp_path / name, (moment, moment))
    asyncio.run(delete_orphaned_files())
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {document_id, "notes.txt", *new}

"""The domain `orphans`: files that no document has."""

import os
import time
from pathlib import Path

from app.orphans.tasks import ORPHANED_AFTER, remove_orphans
from tests.documents.conftest import Process, run


def test_what_no_document_has_is_removed_after_a_day(
    processed: Process, folder: Path
) -> None:
    document_id = processed(b"To be kept.\n", "kept.txt")["id"]
    old = {"a" * 64, ".upload-old", "notes.txt"}
    new = {"b" * 64, ".upload-new"}
    for name in old | new:
        (folder / name).touch()
    for name in {document_id} | old:
        os.utime(folder / name, (time.time() - ORPHANED_AFTER - 60,) * 2)
    run(remove_orphans())
    assert {file.name for file in folder.iterdir()} == {document_id, "notes.txt"} | new


def test_where_nothing_was_ever_uploaded_there_is_nothing_to_remove(
    migrated: None,
) -> None:
    run(remove_orphans())

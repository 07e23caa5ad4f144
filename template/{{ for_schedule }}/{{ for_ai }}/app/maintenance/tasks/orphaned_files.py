"""Deletes orphaned files: a crash during an upload or a deletion leaves them behind."""

import re
import time
from pathlib import Path

import anyio
import sqlalchemy as sa

from afterward import task
from app.documents.files import UNFINISHED_PREFIX
from app.documents.models import Document
from app.documents.queries import fetch_all
from app.documents.settings import settings
from app.documents.tasks import remove_file

MIN_AGE = 24 * 3600  # seconds; a running upload is younger


@task("maintenance.delete_orphaned_files", cron="20 3 * * *")
async def delete_orphaned_files() -> None:
    """Delete files that belong to no document. Files of other programs stay."""
    document_ids = await anyio.to_thread.run_sync(_clean_folder)
    rows = await fetch_all(sa.select(Document.id))
    for document_id in document_ids - {row.id for row in rows}:
        await remove_file(document_id)  # it locks the row and looks again


def _clean_folder() -> set[str]:
    """Delete old unfinished uploads, and return the names of old document files."""
    document_ids = set()
    for file in settings.documents_folder.glob("*"):
        if not _is_old(file):
            continue
        if file.name.startswith(UNFINISHED_PREFIX):
            file.unlink(missing_ok=True)
        elif re.fullmatch("[0-9a-f]{64}", file.name):
            document_ids.add(file.name)
    return document_ids


def _is_old(file: Path) -> bool:
    try:
        return file.stat().st_mtime < time.time() - MIN_AGE
    except FileNotFoundError:  # deleted meanwhile
        return False

"""Tasks of the domain `orphans`: files of uploads and deletions that a crash has cut off."""

import re
import time
from pathlib import Path

import anyio
import sqlalchemy as sa

from app.background import task
from app.documents.files import UNFINISHED
from app.documents.models import Document
from app.documents.search import rows
from app.documents.settings import settings
from app.documents.tasks import remove_file

ORPHANED_AFTER = 24 * 3600  # seconds; an upload that is still under way is younger


@task("orphans.remove", cron="20 3 * * *")
async def remove_orphans() -> None:
    """Remove what no document has had for a day; what is not an upload's stays."""
    files = await anyio.to_thread.run_sync(_old_files)
    documents = {found.id for found in await rows(sa.select(Document.id))}
    for name in files - documents:
        await remove_file(name)  # which looks again, while it holds the row


def _old_files() -> set[str]:
    """Return the files that may be a document's, and remove those that never will be."""
    old = [file for file in settings.documents_folder.glob("*") if _is_old(file)]
    for file in old:
        if file.name.startswith(UNFINISHED):
            file.unlink(missing_ok=True)
    return {file.name for file in old if re.fullmatch("[0-9a-f]{64}", file.name)}


def _is_old(file: Path) -> bool:
    try:
        return file.stat().st_mtime < time.time() - ORPHANED_AFTER
    except FileNotFoundError:  # by now
        return False

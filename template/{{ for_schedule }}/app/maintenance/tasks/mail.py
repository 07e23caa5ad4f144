"""Deletes old mail. It has a schedule, so the clock enqueues it."""

import time
from pathlib import Path

from afterward import task

MAIL_FOLDER = Path("var/mail")
MAX_AGE = 30 * 24 * 3600  # seconds


@task("maintenance.delete_old_mail", cron="10 3 * * *")
def delete_old_mail() -> None:
    """Delete old mail that was written to a file because SMTP_URL is empty."""
    oldest = time.time() - MAX_AGE
    for mail in MAIL_FOLDER.glob("*.eml"):
        if mail.stat().st_mtime < oldest:
            mail.unlink(missing_ok=True)

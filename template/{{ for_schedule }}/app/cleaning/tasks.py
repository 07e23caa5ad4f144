"""Tasks of the domain `cleaning`. They have a schedule: nobody enqueues them but the clock."""

import time
from pathlib import Path

from app.background import delete_old_task_runs, task

MAIL_IS_KEPT = 30 * 24 * 3600  # seconds


@task("cleaning.task_runs", cron="0 3 * * *")
def clean_task_runs() -> None:
    """Delete what ended well over TASK_RETENTION days ago; where no task runs are kept, nothing."""
    delete_old_task_runs()


@task("cleaning.mail", cron="10 3 * * *")
def clean_mail() -> None:
    """Delete old mail that was written to var/mail/ because there is no SMTP_URL."""
    oldest = time.time() - MAIL_IS_KEPT
    for mail in Path("var/mail").glob("*.eml"):
        if mail.stat().st_mtime < oldest:
            mail.unlink(missing_ok=True)

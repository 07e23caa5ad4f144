"""The domain `cleaning`."""

import os
import time
from pathlib import Path

from app.cleaning.tasks import MAIL_IS_KEPT, clean_mail, clean_task_runs


def test_old_mail_is_deleted() -> None:
    folder = Path("var/mail")
    folder.mkdir(parents=True, exist_ok=True)
    for name, age in (("old", MAIL_IS_KEPT + 60), ("new", MAIL_IS_KEPT - 60)):
        mail = folder / f"{name}.eml"
        mail.touch()
        os.utime(mail, (time.time() - age,) * 2)
    clean_mail()
    assert {mail.name for mail in folder.iterdir()} & {"old.eml", "new.eml"} == {
        "new.eml"
    }


def test_old_task_runs_are_deleted_where_there_are_any(migrated: None) -> None:
    clean_task_runs()

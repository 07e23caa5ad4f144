"""The task that deletes old mail."""

import os
import time
from pathlib import Path

import pytest

from app.maintenance.tasks.mail import MAX_AGE, delete_old_mail


def test_old_mail_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.maintenance.tasks.mail.MAIL_FOLDER", tmp_path)
    for name, age in (("old.eml", MAX_AGE + 60), ("new.eml", MAX_AGE - 60)):
        mail = tmp_path / name
        mail.touch()
        os.utime(mail, (time.time() - age, time.time() - age))
    delete_old_mail()
    assert [mail.name for mail in tmp_path.iterdir()] == ["new.eml"]

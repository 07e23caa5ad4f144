"""The first command of the README."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.helpers import find_uv

ROOT = Path(__file__).parents[2]


def test_the_demo_shows_a_finished_task(tmp_path: Path) -> None:
    uv = str(find_uv())
    done = subprocess.run(
        [sys.executable, str(ROOT / "generator" / "demo.py")],
        cwd=tmp_path,
        env=os.environ | {"UV": uv},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert answers[1]["task_id"] == answers[0]["task_id"]
    assert (answers[1]["name"], answers[1]["state"]) == ("signup.send_welcome", "succeeded")
    [mail] = (tmp_path / "var/demo/myapp/var/mail").iterdir()
    assert "To: ada@example.com" in mail.read_text()
    shutil.rmtree(tmp_path / "var")

"""The first command of the README."""

import json
import os
import subprocess
import sys
from pathlib import Path

import uv

from tests import helpers


def test_the_demo_shows_a_finished_task(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(helpers.ROOT / "generator" / "demo.py")],
        cwd=tmp_path,
        env=os.environ | {"UV": uv.find_uv_bin()},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    accepted, task = map(json.loads, lines)
    assert task["task_id"] == accepted["task_id"]
    assert (task["name"], task["state"]) == ("signup.send_welcome", "succeeded")
    [mail] = (tmp_path / "var/demo/myapp/var/mail").iterdir()
    assert "To: ada@example.com" in mail.read_text()

"""Ctrl-C and SIGTERM, sent to a real process at any moment, leave nothing or the whole project."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import helpers


def start(folder: Path) -> subprocess.Popen[str]:
    """Start `bgscaffold new` as a shell would: with its signals on, leading its own group."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", *helpers.process("new", "a/shop", "--pattern=celery")],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(folder: Path, glob: str, process: subprocess.Popen[str]) -> None:
    """Wait until a path shows that the work has come that far."""
    while process.poll() is None and not any(folder.glob(glob)):
        time.sleep(0.001)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment",
    [
        "a/.shop.*",
        "a/.shop.*/template.git/HEAD",
        "a/.shop.*/template/copier.yml",
        "a/.shop.*/project/app",
        "a/.shop.*/project/.git",
        "a/.shop.*/project/.git/index",
    ],
)
def test_nothing_is_left(moment: str, number: signal.Signals, tmp_path: Path) -> None:
    with start(tmp_path) as process:
        wait_for(tmp_path, moment, process)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err.startswith(f"Interrupted, nothing was created: '{tmp_path}/a/shop'\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", [0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.7, 0.8])
def test_nothing_or_everything_is_left(after: float, tmp_path: Path) -> None:
    with start(tmp_path) as process:
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        _out, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    assert "failed" not in err
    if (tmp_path / "a").exists():
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["shop"]
        assert helpers.git("status", "--porcelain", cwd=tmp_path / "a/shop") == ""
    else:
        assert process.returncode != 0

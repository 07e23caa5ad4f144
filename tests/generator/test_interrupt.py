"""Ctrl-C and SIGTERM, sent to a real process at any moment, leave nothing or the whole project."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import helpers
from tests.generator import upgrading


def start(folder: Path) -> subprocess.Popen[str]:
    """Start `bgscaffold new` as a shell would: with its signals on, leading its own group."""
    return subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            *upgrading.process("new", "a/shop", "--pattern=celery"),
        ],
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
    assert err == "Interrupted; nothing was created. Run the command again.\n"
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


@pytest.mark.parametrize(
    "after", [0.1, 0.3, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0]
)
def test_a_promote_is_done_whole_or_not_at_all(after: float, tmp_path: Path) -> None:
    project = upgrading.copy("simple", tmp_path / "shop")
    with start_promote(project) as process:
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        _out, err = process.communicate(timeout=20)
    assert_whole_or_not_at_all(project, process.returncode, err)


@pytest.mark.parametrize("script", ["hold; exec {git} $*", "{git} $*; hold"])
def test_nothing_interrupts_the_merge_itself(script: str, tmp_path: Path) -> None:
    project = upgrading.copy("simple", tmp_path / "shop")
    slow = slow_merge(tmp_path, script)
    with start_promote(project, PATH=f"{slow}:{os.environ['PATH']}") as process:
        wait_for(tmp_path, "merging", process)
        os.killpg(process.pid, signal.SIGINT)
        (tmp_path / "go").touch()
        _out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert_whole_or_not_at_all(project, process.returncode, err)


def slow_merge(folder: Path, script: str) -> Path:
    """Return a folder for PATH, with a git that waits before or after its merge until it may continue."""
    git = shutil.which("git")
    lines = [
        "#!/bin/sh",
        f"hold() {{ touch {folder}/merging; until [ -e {folder}/go ]; do sleep 0.01; done; }}",
        f'[ "$1" = cherry-pick ] || exec {git} "$@"',
        script.format(git=git),
    ]
    (folder / "bin").mkdir()
    (folder / "bin/git").write_text("\n".join(lines))
    (folder / "bin/git").chmod(0o755)
    return folder / "bin"


def start_promote(project: Path, **variables: str) -> subprocess.Popen[str]:
    """Start `bgscaffold promote` as a shell would."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", *upgrading.process("promote", "celery")],
        cwd=project,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def assert_whole_or_not_at_all(project: Path, code: int, err: str) -> None:
    """Show that a project is as before or promoted, and that undoing leads back either way.

    A signal may also come before the work has begun, or while what was done is reported.
    """
    assert "Traceback" not in err
    assert upgrading.like_new(project, "celery") or (
        code and upgrading.like_new(project, "simple")
    )
    if err.startswith("Interrupted"):
        assert upgrading.like_new(project, "simple"), err
    assert not (project / ".git/index.lock").exists()
    helpers.git("reset", "--quiet", "--hard", cwd=project)
    assert upgrading.like_new(project, "simple")
    assert upgrading.status(project) == ""

"""Two commands at the same time run one after the other, and keep what others write."""

import os
import subprocess
from pathlib import Path

import pytest

from bgscaffold.git.repository import Repository, repository_of
from bgscaffold.system import locks
from bgscaffold.upgrade.backup import Backup, back_up
from tests.generator import upgrading
from tests.generator.conftest import Machine, Run
from tests.generator.test_errors import refused
from tests.generator.test_interrupt import slow_merge, start_promote, wait_for
from tests.generator.upgrading import commit, edit, like_new, process, status

pytestmark = pytest.mark.usefixtures("small_template")


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of pattern simple, and make it the current folder."""
    project = upgrading.copy("simple", machine.here / "shop")
    monkeypatch.chdir(project)
    return project


def test_an_update_waits_for_a_promote(shop: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    slow = slow_merge(held, "hold; exec {git} $*")
    with start_promote(shop, PATH=f"{slow}:{os.environ['PATH']}:{os.defpath}") as first:
        wait_for(held, "merging", first)
        command = process("update", "--with-ai")
        with subprocess.Popen(
            command, cwd=shop, stderr=subprocess.PIPE, text=True
        ) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(3)
            (held / "go").touch()
            _out, err = first.communicate(timeout=20)
            assert (first.returncode, err) == (0, "")
            _out, err = second.communicate(timeout=20)
    assert err.startswith(f"The repository has uncommitted changes: '{shop}' (")
    assert like_new(shop, "celery")


def test_nobody_is_waited_for_for_ever(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TIMEOUT", 0.2)
    for folder in (shop / ".git", shop):
        with locks.folder_lock(folder):
            assert run("promote", "celery") == refused(
                "Another bgscaffold command is running in this folder",
                folder,
                "Wait until it ends, or stop it, and run the command again.",
            )
            assert run("promote", "celery", "--dry-run").code == 0
    assert status(shop) == ""


def test_two_projects_of_one_repository(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    mono = machine.here / "mono"
    upgrading.copy("simple", mono / "a/shop")
    (mono / "a/shop/.git").rename(mono / ".git")
    commit(mono)
    monkeypatch.setattr(locks, "TIMEOUT", 0.2)
    with locks.folder_lock(mono / ".git"):
        assert run("promote", "celery", "mono/a/shop") == refused(
            "Another bgscaffold command is running in this folder",
            mono / ".git",
            "Wait until it ends, or stop it, and run the command again.",
        )
    assert run("promote", "celery", "mono/a/shop").code == 0


def test_a_lock_file_that_cannot_be_created(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shop / "README.md/x.lock"
    monkeypatch.setattr(locks, "lock_file", lambda _: file)
    done = run("promote", "celery")
    assert done == refused(
        "Cannot write",
        file,
        "Free disk space or choose a folder that you may write to,"
        " and run the command again.",
        done.err.partition("(")[2].partition(")")[0],
    )
    assert status(shop) == ""


def test_a_lock_leaves_no_file(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with locks.folder_lock(shop):
        [file] = (tmp_path / "temporary").iterdir()
        assert file.name.startswith("bgscaffold-")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_project_that_changes_before_its_turn(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(folder: Path) -> Repository:
        edit(shop, ".copier-answers.yml", "ai: false", "ai: true")
        return repository_of(folder)

    monkeypatch.setattr("bgscaffold.upgrade.command.repository_of", changed)
    assert run("promote", "celery") == refused(
        "Another process has just changed the file",
        shop / ".copier-answers.yml",
        "Run the command again.",
    )
    assert status(shop) == ""


def test_a_file_that_is_saved_before_the_merge(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def saved(files: list[Path], aside: Path) -> Backup:
        kept = back_up(files, aside)
        (shop / "pyproject.toml").write_text("mine\n")
        return kept

    monkeypatch.setattr("bgscaffold.upgrade.transaction.back_up", saved)
    assert run("promote", "celery") == refused(
        "The repository has uncommitted changes",
        shop,
        "Run `git commit --all` or `git stash`, then run the command again.",
        "pyproject.toml",
    )
    assert (shop / "pyproject.toml").read_text() == "mine\n"
    assert status(shop) == "M pyproject.toml"


def test_another_git_that_takes_the_index_first(
    run: Run, machine: Machine, shop: Path
) -> None:
    real = (machine.bin / "git").readlink()
    mine = "echo mine >README.md; echo >.git/index.lock"
    machine.install(
        "git", f'if [ "$1" = cherry-pick ]; then {mine}; fi; exec {real} "$@"'
    )
    assert run("promote", "celery") == refused(
        "Another git command is running in the repository",
        shop / ".git/index.lock",
        (
            "Wait until it ends, or remove this file if none is running, then"
            " run the command again."
        ),
    )
    (shop / ".git/index.lock").unlink()
    assert status(shop) == "M README.md"
    assert (shop / "README.md").read_text() == "mine\n"

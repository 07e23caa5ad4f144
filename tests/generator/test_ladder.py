"""Promote and update on the real template: every pattern to every other."""

import re
import shutil
from itertools import permutations
from pathlib import Path

import pytest

from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Run
from tests.generator.upgrading import like_new, state, status

PAIRS = list(permutations(helpers.PATTERNS, 2))
FEATURE_FILES = {
    "--with-schedule": "app/maintenance/tasks/mail.py",
    "--with-ai": "app/documents/tasks.py",
}
OPTIONS = [("--with-schedule",), ("--with-ai",), ("--with-schedule", "--with-ai")]


def git(project: Path, *arguments: str) -> str:
    """Run git in a project and return what it printed."""
    return helpers.git(*arguments, cwd=project)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_promote_turns_an_unedited_project_into_a_new_one(
    old: str, new: str, run: Run, machine: Machine
) -> None:
    project = upgrading.copy(old, machine.here / "shop")
    files = user_files(project)
    before = state(project)
    assert run("promote", new, "shop", "--dry-run").code == 0
    assert state(project) == before

    done = run("promote", new, "shop")

    assert (done.code, done.err) == (0, "")
    assert like_new(project, new)
    assert user_files(project) == files
    assert all(
        line[1] == " " for line in status(project).splitlines()
    )  # all of it is staged
    git(project, "commit", "--quiet", "--no-edit")
    assert (
        git(project, "log", "-1", "--format=%s") == f"Promote shop from {old} to {new}"
    )
    assert run("promote", new, "shop").out.startswith("Nothing to do: ")
    assert status(project) == ""


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize(
    ("old", "new"),
    [("simple", "async"), ("async", "safe"), ("safe", "celery"), ("celery", "simple")],
)
def test_schedules_and_ai_come_along(
    old: str, new: str, options: tuple[str, ...], run: Run, machine: Machine
) -> None:
    project = upgrading.copy(old, machine.here / "shop", *options)
    files = user_files(project)
    assert run("promote", new, "shop").code == 0
    assert like_new(project, new, *options)
    assert user_files(project) == files
    assert {FEATURE_FILES[option] for option in options} <= files.keys()


def user_files(project: Path) -> dict[str, bytes]:
    """Return the tasks and the routes of a project, which no promote may touch."""
    pattern = re.compile(r"app/(?!background/)\w+/(tasks|router)(/\w+)?\.py")
    return {k: v for k, v in helpers.tree(project).items() if pattern.fullmatch(k)}


@pytest.mark.parametrize(
    "options", [(), *OPTIONS], ids=lambda options: " ".join(options) or "plain"
)
def test_no_pattern_renames_a_file_of_another(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    # Git would follow it, and carry an edit into a file that has nothing to do with it.
    for old, new in PAIRS:
        folder = tmp_path / f"{old}-{new}"
        upgrading.copy(old, folder, *options)
        shutil.copytree(
            upgrading.copy(new, tmp_path / "new", *options) / ".git", tmp_path / "git"
        )
        compare = (
            "diff",
            "--find-renames=50%",
            "--diff-filter=R",
            "--name-only",
            "HEAD",
        )
        assert (
            git(folder, f"--git-dir={tmp_path / 'git'}", "--work-tree=.", *compare)
            == ""
        )
        shutil.rmtree(tmp_path / "git")
        shutil.rmtree(tmp_path / "new")


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_an_update_adds_features_to_an_unedited_project(
    pattern: str, options: tuple[str, ...], run: Run, machine: Machine
) -> None:
    project = upgrading.copy(pattern, machine.here / "shop")
    files = user_files(project)
    before = state(project)
    assert run("update", "shop", *options, "--dry-run").code == 0
    assert state(project) == before

    done = run("update", "shop", *options)

    assert (done.code, done.err) == (0, "")
    assert like_new(project, pattern, *options)
    assert files.items() <= user_files(project).items()
    assert all(
        line[1] == " " for line in status(project).splitlines()
    )  # all of it is staged

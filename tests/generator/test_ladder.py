"""Promote and update on the real template: every pattern to every other."""

import re
import shutil
from itertools import permutations
from pathlib import Path

import pytest

from tests import helpers
from tests.generator import evolving
from tests.generator.conftest import Machine, Run
from tests.generator.evolving import like_new, state, status

PAIRS = list(permutations(helpers.PATTERNS, 2))
ROOMS = {
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
    project = evolving.copy(old, machine.here / "shop")
    rooms = rooms_of_the_user(project)
    before = state(project)
    assert run("promote", new, "shop", "--dry-run").code == 0
    assert state(project) == before

    done = run("promote", new, "shop")

    assert (done.code, done.err) == (0, "")
    assert like_new(project, new)
    assert rooms_of_the_user(project) == rooms
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
    project = evolving.copy(old, machine.here / "shop", *options)
    rooms = rooms_of_the_user(project)
    assert run("promote", new, "shop").code == 0
    assert like_new(project, new, *options)
    assert rooms_of_the_user(project) == rooms
    assert {ROOMS[option] for option in options} <= rooms.keys()


def rooms_of_the_user(project: Path) -> dict[str, bytes]:
    """Return the tasks and the routes of a project, which no promote may touch."""
    room = re.compile(r"app/(?!background/)\w+/(tasks|router)(/\w+)?\.py")
    return {k: v for k, v in helpers.tree(project).items() if room.fullmatch(k)}


@pytest.mark.parametrize(
    "options", [(), *OPTIONS], ids=lambda options: " ".join(options) or "plain"
)
def test_no_pattern_renames_a_file_of_another(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    # Git would follow it, and carry an edit into a file that has nothing to do with it.
    for old, new in PAIRS:
        folder = tmp_path / f"{old}-{new}"
        evolving.copy(old, folder, *options)
        shutil.copytree(
            evolving.copy(new, tmp_path / "new", *options) / ".git", tmp_path / "git"
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
    project = evolving.copy(pattern, machine.here / "shop")
    rooms = rooms_of_the_user(project)
    before = state(project)
    assert run("update", "shop", *options, "--dry-run").code == 0
    assert state(project) == before

    done = run("update", "shop", *options)

    assert (done.code, done.err) == (0, "")
    assert like_new(project, pattern, *options)
    assert rooms.items() <= rooms_of_the_user(project).items()
    assert all(
        line[1] == " " for line in status(project).splitlines()
    )  # all of it is staged

"""`bgscaffold promote`: the ladder, up and down, under what users do to their projects."""

import json
from itertools import permutations
from pathlib import Path

import pytest

from bgscaffold.patterns import RECORDS, Pattern
from tests import helpers
from tests.generator import evolving
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.evolving import commit, edit, like_new, state, status, write

PAIRS = list(permutations(helpers.PATTERNS, 2))
UNDO = ("reset", "--quiet", "--hard")


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project of pattern simple, and stand in it."""
    project = evolving.copy("simple", machine.here / "shop")
    monkeypatch.chdir(project)
    return project


def git(project: Path, *arguments: str) -> str:
    """Run git in a project and return what it printed."""
    return helpers.git(*arguments, cwd=project)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_what_nobody_edited_becomes_a_fresh_project(
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
    assert all(line[1] == " " for line in status(project).splitlines())  # all of it is staged
    git(project, "commit", "--quiet", "--no-edit")
    assert git(project, "log", "-1", "--format=%s") == f"Promote shop from {old} to {new}"
    assert run("promote", new, "shop").out.startswith("Nothing to do: ")
    assert status(project) == ""


def rooms_of_the_user(project: Path) -> dict[str, bytes]:
    """Return the tasks and the routes of a project, which no promote may touch."""
    files = helpers.tree(project)
    room = "app/background/"
    names = ("tasks.py", "router.py")
    return {k: v for k, v in files.items() if k.endswith(names) and not k.startswith(room)}


def test_no_pattern_renames_a_file_of_another() -> None:
    for old, new in PAIRS:
        folders = [str(evolving.original(pattern)) for pattern in (old, new)]
        compare = ("diff", "--no-index", "--find-renames=50%", "--name-status")
        with pytest.raises(Exception, match="exit status 1") as differs:
            helpers.git(*compare, *folders, cwd=Path(folders[0]).parent)
        renamed = [line for line in differs.value.stdout.splitlines() if line.startswith("R")]
        assert [line for line in renamed if "/.git/" not in line] == []

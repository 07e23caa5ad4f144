"""Where a project is: in the current folder, behind links, under odd names."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.test_errors import refused
from tests.generator.upgrading import commit, like_new, state, status, write

pytestmark = pytest.mark.usefixtures("small_template")

ODD = [
    ":(top)",
    "shop\n",
    "a\nb",
    "a:b",
    '"a',
    "a\\",
    " a",
    "ü\t*?[x]",
    "{{ x }}",
    os.fsdecode(b"a\xff"),
]


@pytest.mark.parametrize("path", [".", "./", "../shop/.", "app/.."])
def test_new_fills_the_current_folder(
    path: str, run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = machine.here / "shop"
    shop.mkdir()
    monkeypatch.chdir(shop)
    done = run("new", path, "--pattern=safe")
    assert done == Outcome(
        0,
        f"Created shop in {shop}, pattern safe.\n"
        "Its files are the first commit of a new git repository.\n"
        "\n"
        "Next:\n"
        "  uv run poe dev                      start the API\n"
        "  uv run poe test                     run its tests\n"
        "\n"
        "Your code goes into app/<domain>/tasks.py and app/<domain>/router.py.\n"
        "Equivalent command: bgscaffold new . --pattern=safe --ci=github\n",
        "",
    )
    assert Path.cwd().samefile(shop)
    assert like_new(shop, "safe")
    assert status(shop) == ""
    assert os.listdir(machine.here) == ["shop"]


def test_new_refuses_a_current_folder_with_content(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.here / "My Shop").mkdir()
    monkeypatch.chdir(machine.here / "My Shop")
    assert run("new", ".").err.startswith("Not a valid project name: 'My Shop'.\n")
    monkeypatch.chdir(machine.here)
    assert run("new", ".").err.startswith(
        f"The folder is not empty: '{machine.here}'.\n"
    )
    shutil.rmtree(machine.here / "My Shop")
    assert os.listdir(machine.here) == []


def test_new_does_not_overwrite_a_folder_created_during_the_command(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def come(*_: object) -> None:
        (machine.here / "notes.txt").write_text("mine")

    monkeypatch.setattr("bgscaffold.new.create.start_repository", come)
    assert run("new", ".").err.startswith(
        f"The folder is not empty: '{machine.here}'.\n"
    )
    assert helpers.tree(machine.here) == {"notes.txt": b"mine"}


def test_new_fills_a_folder_wholly_or_not_at_all(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def full(old: Path, new: Path) -> None:
        if new.name == "docs" and new.parent == machine.here:
            raise OSError(28, "No space left on device", "docs")
        rename(old, new)

    monkeypatch.setattr("os.rename", full)
    assert run("new", ".").err.startswith(
        "Cannot write: 'docs' (No space left on device).\n"
    )
    assert os.listdir(machine.here) == []


def test_new_goes_through_links(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.here / "real/deep").mkdir(parents=True)
    (machine.here / "link").symlink_to("real/deep")
    report = json.loads(run("new", "link/shop", "--json").out)
    assert report["path"] == str(machine.here / "real/deep/shop")
    assert report["next_steps"][0] == "cd real/deep/shop"
    assert run("new", "link/../stall").code == 0
    assert sorted(os.listdir(machine.here / "real")) == ["deep", "stall"]


@pytest.mark.parametrize("path", ["../link", ".", "app/..", "../link/app"])
def test_a_project_behind_a_link(
    path: str, run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = upgrading.copy("simple", machine.here / "shop")
    (machine.here / "link").symlink_to("shop")
    monkeypatch.chdir(machine.here / "link")
    monkeypatch.setenv("PWD", str(machine.here / "link"))  # as a shell calls it
    report = json.loads(run("promote", "async", path, "--json").out)
    assert report["path"] == str(shop)
    assert report["command"] == "bgscaffold promote async"
    assert ".copier-answers.yml" in [change["path"] for change in report["changes"]]
    assert report["next_steps"] == ["uv run poe test", "git commit"]
    assert like_new(shop, "async")


@pytest.mark.parametrize("name", ODD)
def test_a_folder_with_an_odd_name(name: str, run: Run, machine: Machine) -> None:
    shop = upgrading.copy("simple", machine.here / name)
    before = state(shop)
    assert run("promote", "celery", name, "--dry-run").code == 0
    assert state(shop) == before
    assert run("promote", "celery", name).code == 0
    assert like_new(shop, "celery")


@pytest.mark.parametrize("name", [":(top)", ":!x", "./:x"])
def test_an_odd_name_in_a_larger_repository(
    name: str, run: Run, machine: Machine
) -> None:
    mono = machine.here / "mono"
    shop = upgrading.copy("simple", mono / name)
    (shop / ".git").rename(mono / ".git")
    ignored = "/tests/background/workers/\n"
    write(shop, ".gitignore", (shop / ".gitignore").read_text() + ignored)
    report = json.loads(run("promote", "celery", str(shop), "--json").out)
    assert "tests/background/workers/tasks.py" in report["written"]
    (shop / ".gitignore").write_bytes(
        (upgrading.original("celery") / ".gitignore").read_bytes()
    )
    assert like_new(shop, "celery")


@pytest.mark.parametrize("name", ["a:b", '"a'])
def test_a_temporary_folder_with_an_odd_name(
    name: str, run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = upgrading.copy("simple", machine.here / "shop")
    (machine.home / name).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(machine.home / name))
    assert run("promote", "celery", "shop", "--dry-run").code == 0
    assert run("promote", "celery", "shop").code == 0
    assert like_new(shop, "celery")
    assert os.listdir(machine.home / name) == []


@pytest.fixture
def outside(machine: Machine) -> Path:
    """Return a folder outside the project, into which nothing may be written."""
    folder = machine.home / "outside"
    folder.mkdir()
    (folder / "background.md").write_text("mine\n")
    return folder


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of pattern simple, and make it the current folder."""
    project = upgrading.copy("simple", machine.here / "shop")
    monkeypatch.chdir(project)
    return project


@pytest.mark.parametrize("folder", ["docs", "tests/background", "app/runner"])
def test_a_link_in_place_of_a_folder(
    folder: str, run: Run, shop: Path, outside: Path
) -> None:
    helpers.git("rm", "-r", "--quiet", folder, cwd=shop)
    (shop / folder).symlink_to(outside)
    commit(shop)
    preview = json.loads(run("promote", "celery", "--dry-run", "--json").out)
    done = json.loads(run("promote", "celery", "--json").out)
    assert helpers.tree(outside) == {"background.md": b"mine\n"}
    for fact in ("changes", "conflicts", "stay_deleted"):
        assert preview[fact] == done[fact]
    assert done["conflicts"] == [
        {
            "kind": "AU",
            "path": f"{folder}~HEAD",
            "reason": "yours, where the new version has something else",
            "resolve": f"to keep it: git add '{folder}~HEAD'; to remove it: git rm '{folder}~HEAD'",
        }
    ]
    assert (shop / f"{folder}~HEAD").readlink() == outside
    helpers.git("reset", "--quiet", "--hard", cwd=shop)
    assert (shop / folder).readlink() == outside
    assert status(shop) == ""


@pytest.mark.parametrize("folder", ["docs", "tests/background"])
def test_a_link_that_git_does_not_track(
    folder: str, run: Run, machine: Machine, shop: Path, outside: Path
) -> None:
    helpers.git("rm", "-r", "--quiet", folder, cwd=shop)
    commit(shop)
    (shop / folder).symlink_to(outside)
    for arguments in [(), ("--dry-run",)]:
        assert run("promote", "celery", *arguments) == refused(
            "The merge would overwrite untracked files",
            folder,
            "Move, remove or commit them, and run the command again.",
        )
    assert helpers.tree(outside) == {"background.md": b"mine\n"}
    assert status(shop) == f"?? {folder}"


def test_a_link_that_git_ignores(run: Run, shop: Path, outside: Path) -> None:
    helpers.git("rm", "-r", "--quiet", "tests/background", cwd=shop)
    write(shop, ".gitignore", (shop / ".gitignore").read_text() + "/tests/background\n")
    (shop / "tests/background").symlink_to(outside)
    assert (
        json.loads(run("promote", "celery", "--dry-run", "--json").out)["written"] == []
    )
    assert json.loads(run("promote", "celery", "--json").out)["written"] == []
    assert helpers.tree(outside) == {"background.md": b"mine\n"}


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_file_in_place_of_a_folder(
    arguments: tuple[str, ...], run: Run, shop: Path
) -> None:
    (shop / "tests/background/workers").write_text("mine\n")
    before = state(shop)
    assert run("promote", "celery", *arguments).err.startswith(
        "The merge would overwrite untracked files: 'tests/background/workers'"
    )
    assert state(shop) == before or not arguments
    assert status(shop) == "?? tests/background/workers"

"""`bgscaffold new`: what it creates and what it says."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from bgscaffold.source import TAG, URL
from tests import helpers
from tests.generator.conftest import Machine, Run

HOSTILE = """
[commit]
    gpgSign = true
    template = /nowhere
[gpg]
    program = /nowhere
[init]
    templateDir = {home}/git-template
    defaultBranch = trunk
[core]
    hooksPath = {home}/hooks
    excludesFile = {home}/ignore
    autocrlf = true
    safecrlf = true
[protocol "file"]
    allow = never
[url "ssh://git@nowhere.invalid/"]
    insteadOf = https://github.com/
"""


def git(*arguments: str, cwd: Path) -> str:
    """Run git and return what it printed."""
    return helpers.git(*arguments, cwd=cwd)


def test_says_what_it_created_and_what_comes_next(run: Run, machine: Machine) -> None:
    done = run("new", "shop", "--with-celery")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"Created shop in {machine.here}/shop, pattern celery.\n"
        "Its files are the first commit of a new git repository.\n"
        "\n"
        "Next:\n"
        "  cd shop\n"
        "  uv run poe dev                      start the API, the worker and beat\n"
        "  uv run poe test                     run its tests\n"
        "\n"
        "Where your code goes: app/<domain>/tasks.py and app/<domain>/router.py\n"
        "The same again: bgscaffold new shop --pattern=celery --ci=github\n"
    )


def test_says_which_pattern_it_chose_and_how_to_get_uv(run: Run, machine: Machine) -> None:
    (machine.bin / "uv").unlink()
    path = machine.home / "my shops" / "shop"
    done = run("new", str(path), "--no-git", "--ci=none")
    assert done.out == (
        f"Created shop in {path}, pattern simple"
        " (the default; `bgscaffold patterns` shows all four).\n"
        "It has no git repository (--no-git).\n"
        "\n"
        "Next:\n"
        "  python3 -m pip install uv           get uv (or: pipx install uv)\n"
        f"  cd '{path}'\n"
        "  uv run poe dev                      start the API\n"
        "  uv run poe test                     run its tests\n"
        "\n"
        "Where your code goes: app/<domain>/tasks.py and app/<domain>/router.py\n"
        f"The same again: bgscaffold new '{path}' --pattern=simple --ci=none --no-git\n"
    )


def test_says_it_in_json(run: Run, machine: Machine) -> None:
    done = run("new", "shop", "--pattern=safe", "--ci=gitlab", "--install", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "project_name": "shop",
        "pattern": "safe",
        "ci": "gitlab",
        "path": str(machine.here / "shop"),
        "commit": TAG,
        "repository": "committed",
        "installed": True,
        "next_steps": ["cd shop", "uv run poe dev", "uv run poe test"],
        "command": "bgscaffold new shop --pattern=safe --ci=gitlab --install",
    }


def test_records_the_answers_and_the_public_template(run: Run, machine: Machine) -> None:
    run("new", "shop", "--pattern=async", "--ci=gitlab")
    comment, _, answers = (machine.here / "shop/.copier-answers.yml").read_text().partition("\n")
    assert comment.startswith("# Written by Copier; do not edit.")
    assert answers == (
        f"_commit: {TAG}\n_src_path: {URL}\nci: gitlab\npattern: async\nproject_name: shop\n"
    )


def test_commits_every_file_in_the_users_name(run: Run, machine: Machine) -> None:
    run("new", "shop", "--pattern=safe")
    shop = machine.here / "shop"
    assert git("log", "--format=%an <%ae> %s", cwd=shop) == (
        "Ada <ada@example.com> shop, as bgscaffold made it (pattern safe)"
    )
    assert git("status", "--porcelain", "--ignored", cwd=shop) == ""
    assert git("branch", "--show-current", cwd=shop) == "main"


def test_commits_as_bgscaffold_where_git_has_no_name(run: Run, machine: Machine) -> None:
    machine.configure_git("")
    done = run("new", "shop")
    assert "in the name of bgscaffold: git has no user.name and user.email here." in done.out
    assert git("log", "--format=%an <%ae>", cwd=machine.here / "shop") == (
        "bgscaffold <bgscaffold@localhost>"
    )


def test_no_git_configuration_changes_the_outcome(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("new", "plain", "--pattern=celery")
    for hooks in ("git-template/hooks", "hooks"):
        folder = machine.home / hooks
        folder.mkdir(parents=True)
        for hook in ("pre-commit", "post-commit", "post-checkout", "prepare-commit-msg"):
            (folder / hook).write_text("#!/bin/sh\nexit 1\n")
            (folder / hook).chmod(0o755)
    (machine.home / "ignore").write_text("*\n")
    machine.configure_git(HOSTILE.format(home=machine.home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "commit.gpgSign")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")

    done = run("new", "other/plain", "--pattern=celery")

    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert (done.code, done.err) == (0, "")
    assert helpers.tree(Path("other/plain")) == helpers.tree(Path("plain"))
    trees = {git("rev-parse", "HEAD^{tree}", cwd=Path(p)) for p in ("plain", "other/plain")}
    assert len(trees) == 1


def test_leaves_a_folder_of_a_repository_to_that_repository(run: Run, machine: Machine) -> None:
    git("init", "--quiet", cwd=machine.here)
    done = run("new", "services/shop")
    assert "lies in a git repository already" in done.out
    assert not (machine.here / "services/shop/.git").exists()
    assert git("status", "--porcelain", cwd=machine.here) == "?? services/"


def test_fills_an_empty_folder(run: Run, machine: Machine) -> None:
    (machine.here / "shop").mkdir()
    assert run("new", "shop/").code == 0
    assert (machine.here / "shop/.copier-answers.yml").is_file()


def test_gives_folders_the_usual_permissions(run: Run, machine: Machine) -> None:
    run("new", "shop")
    (machine.here / "made-by-hand").mkdir()
    modes = {stat.S_IMODE(Path(name).stat().st_mode) for name in ("shop", "made-by-hand")}
    assert len(modes) == 1


def test_leaves_nothing_but_the_project(run: Run, machine: Machine) -> None:
    run("new", "a/b/shop", "--pattern=celery")
    assert [path.name for path in machine.here.rglob("*") if path.parent.name != "shop"][:3] == [
        "a",
        "b",
        "shop",
    ]
    assert [path.name for path in (machine.here / "a/b").iterdir()] == ["shop"]


def test_installs_with_uv_when_asked(run: Run, machine: Machine) -> None:
    assert run("new", "shop", "--install").code == 0
    assert (machine.home / "uv.log").read_text() == f"{machine.here}/shop: uv sync --quiet\n"


def test_takes_the_template_from_a_checkout_without_the_tag(
    run: Run, machine: Machine, tmp_path: Path, template_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git("clone", "--quiet", "--no-tags", str(template_repo), str(clone), cwd=tmp_path)
    monkeypatch.setattr("bgscaffold.source.location", lambda: clone)
    done = run("new", "shop", "--json")
    assert json.loads(done.out)["commit"] == git("rev-parse", "--short", "HEAD", cwd=clone)


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_answers_without_loading_what_it_does_not_need(flag: str) -> None:
    loaded = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    command = helpers.process(flag)
    command[2] = loaded + command[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    slow = {"copier", "jinja2", "plumbum", "rich"} | ({"typer"} if flag == "--version" else set())
    assert slow.isdisjoint(done.stderr.split())

"""`bgscaffold new`: what it creates and what it says."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from bgscaffold.layout import URL
from bgscaffold.template.source import TAG
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
[filter "broken"]
    clean = false
    required = true
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
        "Your code goes into app/<domain>/tasks.py and app/<domain>/router.py.\n"
        "Equivalent command: bgscaffold new shop --pattern=celery --ci=github\n"
    )


def test_says_which_pattern_it_chose_and_how_to_get_uv(
    run: Run, machine: Machine
) -> None:
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
        "Your code goes into app/<domain>/tasks.py and app/<domain>/router.py.\n"
        f"Equivalent command: bgscaffold new '{path}' --pattern=simple --ci=none --no-git\n"
    )


def test_says_it_in_json(run: Run, machine: Machine) -> None:
    done = run(
        "new",
        "shop",
        "--pattern=safe",
        "--ci=gitlab",
        "--with-ai",
        "--install",
        "--json",
    )
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "project_name": "shop",
        "pattern": "safe",
        "ci": "gitlab",
        "schedule": False,
        "ai": True,
        "path": str(machine.here / "shop"),
        "commit": TAG,
        "repository": "committed",
        "installed": True,
        "next_steps": ["cd shop", "uv run poe dev", "uv run poe test"],
        "command": "bgscaffold new shop --pattern=safe --ci=gitlab --with-ai --install",
    }


def test_records_the_answers_and_the_public_template(
    run: Run, machine: Machine
) -> None:
    run("new", "shop", "--pattern=async", "--ci=gitlab", "--with-schedule")
    comment, _, answers = (
        (machine.here / "shop/.copier-answers.yml").read_text().partition("\n")
    )
    assert comment.startswith("# Written by Copier; do not edit.")
    assert answers == (
        f"_commit: {TAG}\n_src_path: {URL}\n"
        "ai: false\nci: gitlab\npattern: async\nproject_name: shop\nschedule: true\n"
    )


def test_tells_how_to_get_the_same_schedules_again(run: Run, machine: Machine) -> None:
    done = run(
        "new", "shop", "--pattern=safe", "--ci=none", "--with-schedule", "--json"
    )
    output = json.loads(done.out)
    assert output["schedule"] is True
    assert (
        output["command"]
        == "bgscaffold new shop --pattern=safe --ci=none --with-schedule"
    )
    assert (machine.here / "shop/app/maintenance/tasks/mail.py").exists()


def test_commits_every_file_in_the_users_name(run: Run, machine: Machine) -> None:
    run("new", "shop", "--pattern=safe")
    shop = machine.here / "shop"
    assert git("log", "--format=%an <%ae> %s", cwd=shop) == (
        "Ada <ada@example.com> Create shop with bgscaffold (pattern safe)"
    )
    assert git("status", "--porcelain", "--ignored", cwd=shop) == ""
    assert git("branch", "--show-current", cwd=shop) == "main"


def test_commits_as_bgscaffold_where_git_has_no_name(
    run: Run, machine: Machine
) -> None:
    machine.configure_git("")
    done = run("new", "shop")
    assert (
        "The author is bgscaffold, because git has no user.name and user.email here."
        in done.out
    )
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
        for hook in (
            "pre-commit",
            "post-commit",
            "post-checkout",
            "prepare-commit-msg",
        ):
            (folder / hook).write_text("#!/bin/sh\nexit 1\n")
            (folder / hook).chmod(0o755)
    (machine.home / "ignore").write_text("*\n")
    (machine.home / ".config/git").mkdir(parents=True)
    (machine.home / ".config/git/attributes").write_text("* filter=broken\n")
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
    trees = {
        git("rev-parse", "HEAD^{tree}", cwd=Path(p)) for p in ("plain", "other/plain")
    }
    assert len(trees) == 1


@pytest.mark.parametrize(
    "line",
    [
        "safe.bareRepository=explicit",
        "url.X.insteadOf=/",
        "clone.defaultRemoteName=x y",
        "commit.cleanup=bogus",
        "core.quotePath=xx",
    ],
)
def test_no_git_setting_breaks_it_or_hides_the_users_name(
    line: str, run: Run, machine: Machine
) -> None:
    git("config", "--global", *line.split("="), cwd=machine.here)
    assert (run("new", "shop").code, left_by_git(machine)) == (0, ("Ada", "main"))


@pytest.mark.parametrize(
    "line",
    [
        "GIT_COMMON_DIR=/nowhere",
        "GIT_NAMESPACE=//",
        "GIT_AUTHOR_DATE=junk",
        "GIT_COMMITTER_DATE=junk",
        "GIT_DEFAULT_HASH=bogus",
        "GIT_CONFIG=/nowhere",
        "GIT_ALLOW_PROTOCOL=https",
    ],
)
def test_no_variable_of_git_breaks_it_or_hides_the_users_name(
    line: str, run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, value = line.partition("=")
    monkeypatch.setenv(name, value)
    done = run("new", "shop")
    monkeypatch.delenv(name)
    assert (done.code, done.err, left_by_git(machine)) == (0, "", ("Ada", "main"))


@pytest.mark.parametrize("name", ["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"])
def test_a_configuration_that_git_cannot_read_costs_only_the_users_name(
    name: str, run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "abc")
    done = run("new", "shop")
    monkeypatch.delenv(name)
    assert (done.code, done.err, left_by_git(machine)) == (
        0,
        "",
        ("bgscaffold", "main"),
    )


@pytest.mark.parametrize(
    ("names", "author", "committer"),
    [
        ({"GIT_AUTHOR_NAME": "Bob"}, "Bob", "Ada"),
        ({"GIT_COMMITTER_NAME": "Bob"}, "Ada", "Bob"),
        ({"GIT_AUTHOR_NAME": ""}, "Ada", "Ada"),
    ],
)
def test_commits_in_the_name_that_the_environment_gives(
    names: dict[str, str],
    author: str,
    committer: str,
    run: Run,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert run("new", "shop").code == 0
    assert (
        git("log", "--format=%an, %cn", cwd=machine.here / "shop")
        == f"{author}, {committer}"
    )


def test_the_commit_has_the_identity_for_that_folder(
    run: Run, machine: Machine
) -> None:
    (machine.home / "work").write_text(
        "[user]\n\tname = J\xf8rgen\n", encoding="latin-1"
    )
    machine.configure_git(
        f'[user]\n\temail = x@y\n[includeIf "gitdir:{machine.here}/"]\n\tpath = ~/work\n'
    )
    assert run("new", "shop").code == 0
    assert git("log", "--format=%an <%ae>", cwd=machine.here / "shop") == "Jørgen <x@y>"


def left_by_git(machine: Machine) -> tuple[str, str]:
    """Return the author and the branch of the project's only commit."""
    shop = machine.here / "shop"
    config = machine.home / ".gitconfig"
    config.rename(config.with_suffix(".seen"))
    assert git("status", "--porcelain", "--ignored", cwd=shop) == ""
    return git("log", "--format=%an", cwd=shop), git(
        "branch", "--show-current", cwd=shop
    )


def test_leaves_a_folder_of_a_repository_to_that_repository(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "--quiet", cwd=machine.here)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(machine.here / "services"))
    done = run("new", "services/shop")
    assert "is inside an existing git repository" in done.out
    assert not (machine.here / "services/shop/.git").exists()
    assert git("status", "--porcelain", cwd=machine.here) == "?? services/"


def test_fills_an_empty_folder(run: Run, machine: Machine) -> None:
    (machine.here / "shop").mkdir()
    assert run("new", "shop/").code == 0
    assert (machine.here / "shop/.copier-answers.yml").is_file()


def test_gives_folders_the_usual_permissions(run: Run, machine: Machine) -> None:
    run("new", "shop")
    (machine.here / "made-by-hand").mkdir()
    modes = {
        stat.S_IMODE(Path(name).stat().st_mode) for name in ("shop", "made-by-hand")
    }
    assert len(modes) == 1


def test_leaves_nothing_but_the_project(run: Run, machine: Machine) -> None:
    run("new", "a/b/shop", "--pattern=celery")
    assert [
        path.name for path in machine.here.rglob("*") if path.parent.name != "shop"
    ][:3] == [
        "a",
        "b",
        "shop",
    ]
    assert [path.name for path in (machine.here / "a/b").iterdir()] == ["shop"]


def test_installs_with_uv_when_asked(run: Run, machine: Machine) -> None:
    assert run("new", "shop", "--install").code == 0
    assert (
        machine.home / "uv.log"
    ).read_text() == f"{machine.here}/shop: uv sync --quiet\n"


@pytest.mark.parametrize("named", [True, False])
def test_the_first_commit_holds_what_uv_has_locked(
    named: bool, run: Run, machine: Machine
) -> None:
    machine.install("uv", "echo version = 1 > uv.lock; echo > .env")
    if not named:
        machine.configure_git("")
    assert run("new", "shop", "--pattern=safe", "--install").code == 0
    shop = machine.here / "shop"
    assert git("status", "--porcelain", cwd=shop) == ""
    assert git("show", "HEAD:uv.lock", cwd=shop) == "version = 1"
    assert git("log", "--format=%an: %s", cwd=shop) == (
        f"{'Ada' if named else 'bgscaffold'}: Create shop with bgscaffold (pattern safe)"
    )


def test_what_uv_has_locked_is_left_to_a_repository_around(
    run: Run, machine: Machine
) -> None:
    machine.install("uv", "echo version = 1 > uv.lock")
    git("init", "--quiet", cwd=machine.here)
    for options in ([], ["--no-git"]):
        assert run("new", f"shop{len(options)}", "--install", *options).code == 0
    assert git("status", "--porcelain", cwd=machine.here) == "?? shop0/\n?? shop1/"


def test_takes_the_template_from_a_checkout_without_the_tag(
    run: Run,
    machine: Machine,
    tmp_path: Path,
    template_repo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clone = tmp_path / "clone"
    git("clone", "--quiet", "--no-tags", str(template_repo), str(clone), cwd=tmp_path)
    monkeypatch.setattr("bgscaffold.template.source.location", lambda: clone)
    done = run("new", "shop", "--json")
    assert json.loads(done.out)["commit"] == git(
        "rev-parse", "--short", "HEAD", cwd=clone
    )


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_answers_without_loading_what_it_does_not_need(flag: str) -> None:
    loaded = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    command = helpers.process(flag)
    command[2] = loaded + command[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    slow = {"copier", "jinja2", "plumbum", "rich"} | (
        {"typer"} if flag == "--version" else set()
    )
    assert slow.isdisjoint(done.stderr.split())

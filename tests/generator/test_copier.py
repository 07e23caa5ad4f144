"""A project made by bgscaffold stays an ordinary Copier project."""

import os
import subprocess
import sys
from pathlib import Path

from bgscaffold.layout import URL
from tests import helpers
from tests.generator.conftest import Machine, Run


def copier(*arguments: str, cwd: Path) -> None:
    """Run Copier's own command, which never needs --trust."""
    command = [sys.executable, "-m", "copier", *arguments, "--defaults", "--quiet"]
    env = {**os.environ, "PATH": os.defpath}  # git's submodules want more than git
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_copier_updates_it_from_the_public_url(
    run: Run, machine: Machine, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    helpers.git(
        "clone", "--quiet", str(helpers.template_repo()), str(newer), cwd=tmp_path
    )
    (newer / "template/news.txt").write_text("new in 9.9.9\n")
    helpers.git("add", ".", cwd=newer)
    helpers.git("commit", "--quiet", "--message=news", cwd=newer)
    helpers.git("tag", "v9.9.9", cwd=newer)
    assert run("new", "shop", "--pattern=safe").code == 0
    config = (machine.home / ".gitconfig").read_text()
    machine.configure_git(f'{config}[url "{newer}"]\n\tinsteadOf = {URL}\n')

    copier("update", cwd=machine.here / "shop")

    assert (machine.here / "shop/news.txt").read_text() == "new in 9.9.9\n"
    answers = (machine.here / "shop/.copier-answers.yml").read_text()
    assert f"_commit: v9.9.9\n_src_path: {URL}\n" in answers
    changed = helpers.git(
        "status", "--porcelain", cwd=machine.here / "shop"
    ).splitlines()
    assert {line.split()[-1] for line in changed} == {".copier-answers.yml", "news.txt"}


def test_copier_brings_schedules_to_a_project_without(
    run: Run, machine: Machine
) -> None:
    for name, options in (("shop", []), ("fresh/shop", ["--with-schedule"])):
        assert run("new", name, "--pattern=safe", *options).code == 0
    config = (machine.home / ".gitconfig").read_text()
    machine.configure_git(
        f'{config}[url "{helpers.template_repo()}"]\n\tinsteadOf = {URL}\n'
    )

    copier("update", "--data", "schedule=true", cwd=machine.here / "shop")

    assert helpers.tree(machine.here / "shop") == helpers.tree(
        machine.here / "fresh/shop"
    )


def test_copier_takes_the_name_from_the_folder(machine: Machine) -> None:
    source = str(helpers.template_repo())
    copier("copy", source, "My Shop!", cwd=machine.here)
    assert (
        "project_name: my-shop\n"
        in (machine.here / "My Shop!/.copier-answers.yml").read_text()
    )
    assert os.listdir(machine.here) == ["My Shop!"]

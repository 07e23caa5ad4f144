"""Where the template comes from."""

import os
from pathlib import Path

import pytest

import bgscaffold.template.source
from bgscaffold.git.client import git_in_background, isolated_env
from bgscaffold.git.errors import GitCommandError
from bgscaffold.template.render import render
from bgscaffold.template.source import location
from tests import helpers
from tests.generator.conftest import Machine, Run


def test_a_checkout_is_its_own_source() -> None:
    assert location() == helpers.ROOT


def test_a_wheel_holds_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "template.bundle").write_text("")
    monkeypatch.setattr(bgscaffold.template.source, "PACKAGE", tmp_path)
    assert location() == tmp_path / "template.bundle"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a checkout away")
def test_a_checkout_may_be_another_users(
    run: Run, machine: Machine, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    helpers.git(
        "clone", "--quiet", str(helpers.template_repo()), str(checkout), cwd=tmp_path
    )
    for path in (checkout, checkout / ".git"):
        os.chown(path, 1234, 1234)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bgscaffold.template.source, "location", lambda: checkout)
        assert run("new", "shop").code == 0


def test_git_ends_when_its_reader_is_interrupted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # git would wait for it forever
    reading = git_in_background("hash-object", "pipe", cwd=tmp_path, env=isolated_env())
    with pytest.raises(KeyboardInterrupt), reading:
        raise KeyboardInterrupt
    with pytest.raises(OSError, match="No such device or address"):  # nobody reads
        os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK)


def test_git_reports_why_it_failed(tmp_path: Path) -> None:
    checking_out = git_in_background("checkout", "v1", cwd=tmp_path, env=isolated_env())
    with (
        pytest.raises(
            GitCommandError,
            match="^A git command failed: 'git checkout' .fatal: not a git rep",
        ),
        checking_out,
    ):
        pass


def test_the_options_of_the_template_apply_to_a_text(tmp_path: Path) -> None:
    assert rendered_name(tmp_path / "curly", "{{", "}}") == "2 [[ 1 + 1 ]].txt"
    assert rendered_name(tmp_path / "square", "[[", "]]") == "{{ 1 + 1 }} 2.txt"


def rendered_name(template: Path, start: str, end: str) -> str:
    """Render a template with these marks, and return what its file is called then."""
    template.mkdir()
    options = {"variable_start_string": start, "variable_end_string": end}
    (template / "copier.yml").write_text(f"_envops: {options}")
    (template / f"{start} _copier_conf.answers_file {end}").touch()
    (template / "{{ 1 + 1 }} [[ 1 + 1 ]].txt").touch()
    render(template, {}, template / "to", version="v1")
    return next((template / "to").glob("*.txt")).name

"""A machine to run bgscaffold on: its own home, its own PATH, the snapshot of the template."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import bgscaffold.template.source
from bgscaffold.__main__ import main
from tests.generator import evolving

collect_ignore = ["template"]
GITCONFIG = "[user]\n\tname = Ada\n\temail = ada@example.com\n"


@dataclass
class Machine:
    """What a test may change before it runs a command."""

    home: Path
    bin: Path
    here: Path

    def install(self, name: str, script: str) -> None:
        """Put a shell script on PATH in place of what stands there."""
        program = self.bin / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def configure_git(self, text: str) -> None:
        """Write the user's git configuration."""
        (self.home / ".gitconfig").write_text(text)


@dataclass
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def real_template(monkeypatch: pytest.MonkeyPatch, template_repo: Path) -> None:
    """Render from the snapshot of the working tree's template."""
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: template_repo)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a fresh machine with git and uv, and stand in an empty folder of it."""
    made = Machine(tmp_path / "home", tmp_path / "bin", tmp_path / "here")
    for folder in (made.home, made.bin, made.here):
        folder.mkdir()
    for variable in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        monkeypatch.delenv(variable)
    git = shutil.which("git")
    assert git
    (made.bin / "git").symlink_to(git)
    made.install("uv", f"echo $PWD: uv $* >> {made.home}/uv.log")
    made.configure_git(GITCONFIG)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PATH", str(made.bin))
    monkeypatch.chdir(made.here)
    return made


@pytest.fixture
def run(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Give a function that runs one command on the machine, in this process."""

    def run_command(*arguments: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["bgscaffold", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        out, err = capsys.readouterr()
        if isinstance(code, str):
            return Outcome(1, out, err + code)
        return Outcome(int(str(code or 0)), out, err)

    return run_command


@pytest.fixture
def small_template(real_template: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Render from the small template, whose files cover what a merge may meet."""
    template = evolving.small_template()
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: template)

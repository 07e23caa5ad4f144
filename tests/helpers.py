"""What several test suites need: a snapshot of the template, and projects rendered from it."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import copier
import yaml

import bgscaffold

ROOT = Path(__file__).parents[1]
TAG = f"v{bgscaffold.__version__}"
PATTERNS = ("simple", "async", "safe", "celery")
CIS = ("github", "gitlab", "none")

# `bgscaffold` as a process of its own, rendering from the snapshot.
LAUNCHER = """\
import sys
from bgscaffold import __main__ as command

def run(arguments, run=command.run):
    import bgscaffold.template.source, pathlib
    bgscaffold.template.source.location = lambda: pathlib.Path(arguments[0])
    run(arguments[1:])

command.run = run
command.main()
"""


@cache
def template_repo() -> Path:
    """Return a git repository of the working tree's template, tagged as this version."""
    folder = Path(tempfile.mkdtemp(prefix="bgscaffold-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*_cache")
    shutil.copytree(ROOT / "template", folder / "template", ignore=unwanted)
    shutil.copyfile(ROOT / "copier.yml", folder / "copier.yml")
    git("init", "--quiet", cwd=folder)
    git("add", "--all", "--force", cwd=folder)
    git("commit", "--quiet", "--message=snapshot", cwd=folder)
    git("tag", TAG, cwd=folder)
    return folder


def render(pattern: str, ci: str, dst: Path, **answers: str | bool) -> Path:
    """Render the snapshot with plain Copier, as `copier copy` does, and return the project."""
    data = {"pattern": pattern, "ci": ci, **answers}
    copier.run_copy(
        str(template_repo()), dst, data=data, vcs_ref=TAG, defaults=True, quiet=True
    )
    return dst


def questions() -> dict[str, Any]:
    """Return what copier.yml says."""
    content = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def git(*arguments: str, cwd: Path) -> str:
    """Run git as somebody, whatever the machine is called, and return what it printed."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    options = (*identity, "-c", "commit.gpgSign=false", "-c", "core.autocrlf=false")
    command = ["git", *options, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, except a repository's own, with what it holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def process(*arguments: str) -> list[str]:
    """Return the command that runs bgscaffold on the snapshot in a process of its own."""
    return [sys.executable, "-c", LAUNCHER, str(template_repo()), *arguments]


@cache
def can_unshare() -> bool:
    """Return whether this machine lets a test cut off the network or mount a small disk."""
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"]
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


def find_uv() -> str:
    """Return the path of uv; `uv run` tells it in the variable UV."""
    return os.environ.get("UV") or shutil.which("uv") or "uv"

"""Projects for the tests of promote and update: created once per pattern, then copied.

They are rendered from the template that `bgscaffold.template.source` names: the real one
or, with the fixture `small_template`, the few files in tests/generator/template. These
have what a merge may meet, so the tests do not depend on what a pattern needs today.
"""

import atexit
import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import bgscaffold.template.source
from tests import helpers

LADDER = helpers.PATTERNS


@cache
def small_template() -> Path:
    """Return a repository with the small template and the real questions."""
    folder = Path(tempfile.mkdtemp(prefix="bgscaffold-small-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    small = Path(__file__).with_name("template")
    unwanted = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(small, folder / "template", ignore=unwanted)
    shutil.copyfile(helpers.ROOT / "copier.yml", folder / "copier.yml")
    helpers.git("init", "--quiet", cwd=folder)
    helpers.git("add", "--all", "--force", cwd=folder)
    helpers.git("commit", "--quiet", "--message=snapshot", cwd=folder)
    helpers.git("tag", helpers.TAG, cwd=folder)
    return folder


def process(*arguments: str) -> list[str]:
    """Return the command that runs bgscaffold on the current template."""
    template = str(bgscaffold.template.source.location())
    return [sys.executable, "-c", helpers.LAUNCHER, template, *arguments]


def original(pattern: str, *options: str) -> Path:
    """Return a project named shop as `bgscaffold new` creates it; do not change it."""
    return created(bgscaffold.template.source.location(), pattern, options)


@cache
def created(template: Path, pattern: str, options: tuple[str, ...]) -> Path:
    """Create a project from a template."""
    folder = Path(tempfile.mkdtemp(prefix=f"bgscaffold-{pattern}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    new = ("new", "shop", f"--pattern={pattern}", *options)
    command = [sys.executable, "-c", helpers.LAUNCHER, str(template), *new]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder / "shop"


def copy(pattern: str, to: Path, *options: str) -> Path:
    """Copy a project, with its repository, to a path that is free."""
    shutil.copytree(original(pattern, *options), to, symlinks=True)
    return to


def edit(project: Path, path: str, old: str, new: str) -> None:
    """Replace a text that occurs once in a file, and commit that."""
    text = (project / path).read_text()
    assert text.count(old) == 1
    (project / path).write_text(text.replace(old, new))
    commit(project)


def write(project: Path, path: str, text: str) -> None:
    """Write a file and commit it."""
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text)
    commit(project)


def commit(project: Path) -> None:
    """Commit everything in a project's work tree."""
    helpers.git("add", "--all", cwd=project)
    helpers.git("commit", "--quiet", "--message=mine", cwd=project)


def open_conflict(project: Path, *paths: str) -> None:
    """Open a conflict in tracked files, as if both sides had changed the same lines."""
    tracked = ("ls-files", "--stage", "--full-name", "--", *paths)
    entries = []
    for line in helpers.git(*tracked, cwd=project).splitlines():
        facts, _tab, path = line.partition("\t")
        mode, blob, _stage = facts.split()
        entries.append(f"0 {'0' * 40}\t{path}")
        entries += [f"{mode} {blob} {stage}\t{path}" for stage in (1, 2, 3)]
    command = ("git", "update-index", "--index-info")
    stdin = "\n".join(entries)
    subprocess.run(command, cwd=project, input=stdin, text=True, check=True)


def status(project: Path) -> str:
    """Return what git says of the repository, ignored files included."""
    return helpers.git("status", "--porcelain", "--ignored", cwd=project)


def state(project: Path) -> str:
    """Return a hash of everything: the work tree and all that git keeps about it."""
    sum_ = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        sum_.update(f"{path.relative_to(project)} {path.lstat().st_mode} ".encode())
        sum_.update(path.read_bytes() if path.is_file() else b"")
    return sum_.hexdigest()


def like_new(project: Path, pattern: str, *options: str) -> bool:
    """Return whether a project equals one that was created under a pattern."""
    return helpers.tree(project) == helpers.tree(original(pattern, *options))

"""Projects for the tests of promote and update: made once for each pattern, then copied."""

import atexit
import hashlib
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests import helpers

LADDER = helpers.PATTERNS


@cache
def original(pattern: str, *options: str) -> Path:
    """Return a project as `bgscaffold new` makes it, called shop; nobody may change it."""
    folder = Path(tempfile.mkdtemp(prefix=f"bgscaffold-{pattern}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = helpers.process("new", "shop", f"--pattern={pattern}", *options)
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder / "shop"


def copy(pattern: str, to: Path, *options: str) -> Path:
    """Copy a project, with its repository, to a path that is free."""
    shutil.copytree(original(pattern, *options), to, symlinks=True)
    return to


def edit(project: Path, path: str, old: str, new: str) -> None:
    """Replace a text that stands in a file once, and commit that."""
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
    """Commit all that stands in a project's work tree."""
    helpers.git("add", "--all", cwd=project)
    helpers.git("commit", "--quiet", "--message=mine", cwd=project)


def unsettle(project: Path, *paths: str) -> None:
    """Open a conflict in files that git tracks, as if both sides had changed the same lines."""
    tracked = helpers.git(
        "ls-files", "--stage", "--full-name", "--", *paths, cwd=project
    )
    entries = []
    for facts, _tab, path in (line.partition("\t") for line in tracked.splitlines()):
        mode, blob, _stage = facts.split()
        entries += [
            f"0 {'0' * 40}\t{path}",
            *(f"{mode} {blob} {n}\t{path}" for n in (1, 2, 3)),
        ]
    command = ("git", "update-index", "--index-info")
    subprocess.run(
        command, cwd=project, input="\n".join(entries), text=True, check=True
    )


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
    """Tell whether a project equals one that was made under a pattern."""
    return helpers.tree(project) == helpers.tree(original(pattern, *options))

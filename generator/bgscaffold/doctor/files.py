"""Checks of the files of a project, which do not run its code."""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from bgscaffold import __version__
from bgscaffold.analysis.migrations import Revision, heads, revisions
from bgscaffold.doctor.findings import Finding, fail, ok, warn
from bgscaffold.errors import BgscaffoldError
from bgscaffold.git.client import git
from bgscaffold.git.errors import RESOLVE_CONFLICTS
from bgscaffold.git.repository import conflicted_files, summarize_paths
from bgscaffold.layout import ANSWERS_FILE, RUNTIME
from bgscaffold.project.project import Project, read_text
from bgscaffold.template.source import clone, resolve_commit

BACKEND = re.compile(r"^from afterward\.backends\.(\w+?)_? import", re.MULTILINE)
RESTORE = "Restore it: git checkout HEAD -- {}"


def check_files(project: Project) -> Iterator[Finding]:
    """Check conflicts, answers, the template's version and the runtime package."""
    if files := conflicted_files(project.root):
        remedy = f"Resolve them: {RESOLVE_CONFLICTS}"
        yield fail(
            check="conflicts",
            detail=f"unresolved: {summarize_paths(files)}",
            remedy=remedy,
        )
    yield check_answers(project)
    yield check_template(project.commit)
    yield from check_runtime(project)
    yield from check_migrations(list(revisions(project.root)))


def check_answers(project: Project) -> Finding:
    """Compare the recorded pattern with the backend that the application uses."""
    file = project.packages[0] / "background.py"
    backends = BACKEND.findall(read_text(file))
    if backends and project.pattern not in backends:
        path = file.relative_to(project.root).as_posix()
        detail = (
            f"{ANSWERS_FILE} records pattern {project.pattern}, but {path} uses"
            f" {', '.join(backends)}"
        )
        return fail(
            check="answers",
            detail=detail,
            remedy=RESTORE.format(f"{ANSWERS_FILE} {path}"),
        )
    return ok("answers", f"{project.name}, pattern {project.pattern}")


def check_template(commit: str) -> Finding:
    """Compare the template's version of the project with that of this bgscaffold."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", commit):
        return ok("template", f"{commit}, which is not a release")
    if Version(commit) < Version(__version__):
        detail = f"{commit}; this is bgscaffold {__version__}"
        return warn(
            check="template",
            detail=detail,
            remedy="Run: bgscaffold update",
        )
    if Version(commit) > Version(__version__):
        detail = f"{commit} is newer than bgscaffold {__version__}"
        return warn(
            check="template",
            detail=detail,
            remedy="Run: uv tool upgrade bgscaffold",
        )
    return ok("template", f"{commit}, the version of this bgscaffold")


# ---- The runtime package -------------------------------------------------------------


def check_runtime(project: Project) -> Iterator[Finding]:
    """Compare `afterward/` with the version that the project was created from."""
    folder = project.root / RUNTIME
    if not folder.is_dir():
        yield fail(
            check=RUNTIME,
            detail=f"{RUNTIME}/ is missing",
            remedy=RESTORE.format(RUNTIME),
        )
        return
    expected = released_runtime(project.commit)
    if not expected:
        return
    present = runtime_files(folder)
    changed = sorted(
        path
        for path in expected.keys() | present.keys()
        if expected.get(path) != present.get(path)
    )
    if changed:
        names = summarize_paths([f"{RUNTIME}/{path}" for path in changed])
        remedy = (
            "An update merges into them and can conflict. Restore them:"
            f" git checkout COMMIT -- {RUNTIME}"
        )
        yield warn(
            check=RUNTIME,
            detail=f"differs from {project.commit}: {names}",
            remedy=remedy,
        )
    else:
        yield ok(RUNTIME, f"as in {project.commit}")


def released_runtime(commit: str) -> dict[str, str]:
    """Return the hash of each file of a version, none if the version is unknown."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            repository = clone(Path(folder, "template.git"))
            if resolved := resolve_commit(repository, commit):
                tree = f"{resolved}:template/{RUNTIME}"
                listing = git("ls-tree", "-r", "-z", tree, cwd=repository)
                return parse_tree(listing)
        except (BgscaffoldError, OSError):  # no git, or a version without the package
            pass
        return {}


def parse_tree(listing: str) -> dict[str, str]:
    """Return the hashes in git's lines `mode type hash TAB path`."""
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry)
    return {path: facts.split()[2] for facts, _, path in entries}


def runtime_files(folder: Path) -> dict[str, str]:
    """Return the hash of each file of the runtime package, as git computes it."""
    return {
        file.relative_to(folder).as_posix(): blob_hash(file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def blob_hash(content: bytes) -> str:
    """Return git's hash of a text file, whatever its line ends are on this machine."""
    content = content.replace(b"\r\n", b"\n")
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


# ---- Migrations ----------------------------------------------------------------------


def check_migrations(found: list[Revision]) -> Iterator[Finding]:
    """Find revisions that Alembic cannot put in order."""
    first: dict[str, Revision] = {}
    for revision in found:
        other = first.setdefault(revision.name, revision)
        if other is not revision:
            detail = f"{other.file} and {revision.file} have revision {revision.name}"
            remedy = "Change `revision` in the newer file"
            yield fail(
                check="revisions",
                detail=detail,
                remedy=remedy,
            )
    for revision in found:
        for missing in sorted(revision.follows - first.keys()):
            detail = f"{revision.file} follows {missing}, which does not exist"
            remedy = "Remove the file, or restore the one that it follows"
            yield fail(
                check="revisions",
                detail=detail,
                remedy=remedy,
            )
    if len(ends := heads(found)) > 1:
        files = ", ".join(first[name].file for name in ends)
        remedy = "Run: uv run alembic merge heads -m merge"
        yield fail(
            check="revisions",
            detail=f"several heads: {files}",
            remedy=remedy,
        )

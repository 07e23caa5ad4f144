"""Puts the template into the wheel and the sdist, as one git bundle.

The bundle contains one commit without a parent per version tag, with only copier.yml and
template/: a project records the name of a tag, so an update needs nothing else. It can be
built from a shallow, tagless or partial clone, and from an export without .git.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "bgscaffold/template.bundle"
CONTENT = ("copier.yml", "template")

# Every build of the same tags has the same bytes.
FIXED = {
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_AUTHOR_NAME": "bgscaffold",
    "GIT_COMMITTER_NAME": "bgscaffold",
    "GIT_AUTHOR_EMAIL": "bgscaffold@localhost",
    "GIT_COMMITTER_EMAIL": "bgscaffold@localhost",
}


class BundleHook(BuildHookInterface[Any]):
    """The hook that hatchling runs; an editable install needs no bundle."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the bundle, or take the one that this sdist was built with."""
        if version == "editable":
            return
        self.scratch = Path(tempfile.mkdtemp())
        bundle = Path(self.root, "generator", BUNDLE)
        if not bundle.is_file():
            bundle = self.scratch / "template.bundle"
            make_bundle(Path(self.root), f"v{self.metadata.version}", bundle)
        inside = BUNDLE if self.target_name == "wheel" else f"generator/{BUNDLE}"
        build_data["force_include"][str(bundle)] = inside

    def finalize(
        self, version: str, _build_data: dict[str, Any], _artifact: str
    ) -> None:
        """Remove the bundle that is inside the artifact now."""
        if version != "editable":
            shutil.rmtree(self.scratch)


def make_bundle(root: Path, tag: str, bundle: Path) -> None:
    """Write a bundle of every version tag; HEAD becomes the tag of this version."""
    with tempfile.TemporaryDirectory() as scratch:
        repository = Path(scratch, "repository")
        git("init", "--quiet", str(repository), cwd=root)
        is_clone = (root / ".git").exists()
        tags = git("tag", "--list", "v*", cwd=root).split() if is_clone else []
        for name in sorted({*tags, tag}):
            content = Path(scratch, name)
            content.mkdir()
            if is_clone:
                check_out(root, name if name in tags else "HEAD", content)
            else:
                copy_files(root, content)
            commit(repository, content, name)
        git("bundle", "create", "--quiet", str(bundle), "--tags", cwd=repository)


def check_out(root: Path, ref: str, content: Path) -> None:
    """Write what a clone holds at a ref, through an index of its own."""
    index = {"GIT_INDEX_FILE": f"{content}.index"}
    git(
        "--work-tree",
        str(content),
        "checkout",
        ref,
        "--",
        *CONTENT,
        cwd=root,
        variables=index,
    )


def copy_files(root: Path, content: Path) -> None:
    """Copy what an export without .git holds."""
    shutil.copyfile(root / "copier.yml", content / "copier.yml")
    unwanted = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*_cache")
    shutil.copytree(
        root / "template", content / "template", ignore=unwanted, symlinks=True
    )


def commit(repository: Path, content: Path, tag: str) -> None:
    """Commit a folder without a parent, and tag the commit."""
    git("--work-tree", str(content), "add", "--all", "--force", cwd=repository)
    tree = git("write-tree", cwd=repository)
    made = git("commit-tree", tree, "-m", tag, cwd=repository, variables=FIXED)
    git("update-ref", f"refs/tags/{tag}", made, cwd=repository)


def git(*arguments: str, cwd: Path, variables: dict[str, str] | None = None) -> str:
    """Run git without the user's line endings and return what it printed."""
    command = [
        "git",
        "-c",
        "core.autocrlf=false",
        "-c",
        "core.fsmonitor=false",
        *arguments,
    ]
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()

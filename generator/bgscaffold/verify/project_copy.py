"""A copy of a project with what git tracks or would track, and nothing else."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bgscaffold.git.client import run_git
from bgscaffold.git.repository import user_env

LIST_FILES = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")
# Where git cannot tell, these are what a project's .gitignore leaves out.
IGNORED = frozenset({".git", ".venv", "__pycache__", "node_modules"})


def copy_project(root: Path, target: Path) -> None:
    """Copy a project, without the user's settings, data and environment."""
    for path in project_files(root):
        source, copy = root / path, target / path
        if source.is_dir() and not source.is_symlink():  # a submodule
            shutil.copytree(source, copy, symlinks=True)
        elif os.path.lexists(source):  # git also lists files that were removed
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)


def project_files(root: Path) -> list[str]:
    """Return the paths of the files to copy."""
    listed = listed_by_git(root)
    found = walk(root) if listed is None else listed
    return [path for path in found if not is_private(PurePosixPath(path))]


def is_private(path: PurePosixPath) -> bool:
    """Return whether a file holds the user's settings or data."""
    is_settings = path.name.startswith(".env") and path.name != ".env.example"
    return is_settings or path.parts[0] == "var"


def listed_by_git(root: Path) -> list[str] | None:
    """Return the files that git tracks or would track, None without a repository."""
    try:
        done = run_git(*LIST_FILES, cwd=root, env=user_env())
    except FileNotFoundError:  # there is no git
        return None
    if done.returncode:
        return None
    return [path for path in done.stdout.split("\0") if path]


def walk(root: Path) -> Iterator[str]:
    """Yield the files of a folder that is in no repository."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in files:
            yield Path(folder, name).relative_to(root).as_posix()


def is_ignored(folder: str) -> bool:
    """Return whether a folder holds what tools have written."""
    return folder in IGNORED or folder.endswith("_cache")

"""Creating a project: its files, its first commit, its dependencies."""

import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bgscaffold.errors import InstallFailed, UvMissing
from bgscaffold.git import amend_all, commit_all, require_git, work_tree
from bgscaffold.project import Project
from bgscaffold.render import import_copier, render
from bgscaffold.source import unpack
from bgscaffold.staging import build_in_place


class Repository(StrEnum):
    """What became of the project's git repository."""

    COMMITTED = "committed"
    COMMITTED_AS_BGSCAFFOLD = "committed as bgscaffold"
    NOT_WANTED = "not wanted"
    OUTER = "left to the repository around it"


@dataclass(frozen=True)
class Created:
    """A project that now exists, and what was done for it."""

    project: Project
    commit: str
    repository: Repository
    installed: bool


def create(project: Project, *, git: bool = True, install: bool = False) -> Created:
    """Create the project, with a first commit and its dependencies if they are wanted."""
    require_git()
    uv = find_uv() if install else None
    commit, repository = build_in_place(
        project.destination, lambda stage: build(project, stage, git=git)
    )
    if uv:
        sync(uv, project.destination)
        if repository in (Repository.COMMITTED, Repository.COMMITTED_AS_BGSCAFFOLD):
            amend_all(project.destination)  # with uv.lock
    return Created(project, commit, repository, installed=install)


def build(project: Project, stage: Path, *, git: bool) -> tuple[str, Repository]:
    """Render the project in a staging folder and start its repository there."""
    commit = unpack(stage / "template", import_copier)
    render(stage / "template", commit, project.answers, stage / "project")
    return commit, start_repository(project, stage) if git else Repository.NOT_WANTED


def start_repository(project: Project, stage: Path) -> Repository:
    """Commit the staged project, unless a repository around it would hold a second one."""
    if work_tree(stage):
        return Repository.OUTER
    message = f"{project.name}, as bgscaffold made it (pattern {project.pattern})"
    named = commit_all(stage / "project", message)
    return Repository.COMMITTED if named else Repository.COMMITTED_AS_BGSCAFFOLD


def find_uv() -> str:
    """Return the path of uv, or refuse before anything is created."""
    uv = shutil.which("uv")
    if uv is None:
        raise UvMissing("uv")
    return uv


def sync(uv: str, folder: Path) -> None:
    """Install the project's dependencies into its own environment."""
    try:
        subprocess.run([uv, "sync", "--quiet"], cwd=folder, check=True, stdin=subprocess.DEVNULL)
    except KeyboardInterrupt as error:
        raise InstallFailed(str(folder), "interrupted") from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise InstallFailed(str(folder), str(error)) from error

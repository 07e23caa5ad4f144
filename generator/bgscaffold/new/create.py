"""Creating a project: its files, its first commit, its dependencies."""

import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bgscaffold.git.client import amend_all, commit_all, require_git, work_tree_root
from bgscaffold.new.errors import InstallError, PatternConflictError, UvNotFoundError
from bgscaffold.patterns import DEFAULT, Pattern
from bgscaffold.project.spec import ProjectSpec
from bgscaffold.system.atomic_directory import build_atomically
from bgscaffold.template.render import import_copier, render
from bgscaffold.template.source import unpack


def resolve_pattern(pattern: Pattern | None, *, with_celery: bool) -> Pattern:
    """Return the pattern that the two options together ask for."""
    if with_celery and pattern not in (None, Pattern.CELERY):
        raise PatternConflictError(f"--pattern {pattern} --with-celery")
    return Pattern.CELERY if with_celery else pattern or DEFAULT


class GitOutcome(StrEnum):
    """What became of the project's git repository."""

    COMMITTED = "committed"
    COMMITTED_AS_BGSCAFFOLD = "committed as bgscaffold"
    NOT_WANTED = "not wanted"
    OUTER = "left to the repository around it"


@dataclass(frozen=True)
class NewProject:
    """A project that now exists, and what was done for it."""

    project: ProjectSpec
    commit: str
    repository: GitOutcome
    installed: bool


def create(
    project: ProjectSpec, *, git: bool = True, install: bool = False
) -> NewProject:
    """Create the project, with a first commit and its dependencies if they are wanted."""
    require_git()
    uv = find_uv() if install else None
    commit, repository = build_atomically(
        project.destination, lambda stage: render_and_commit(project, stage, git=git)
    )
    if uv:
        sync(uv, project.destination)
        if repository in (GitOutcome.COMMITTED, GitOutcome.COMMITTED_AS_BGSCAFFOLD):
            amend_all(project.destination)  # with uv.lock
    return NewProject(project, commit, repository, installed=install)


def render_and_commit(
    project: ProjectSpec, stage: Path, *, git: bool
) -> tuple[str, GitOutcome]:
    """Render the project in a staging folder and start its repository there."""
    commit = unpack(stage / "template", import_copier)
    render(stage / "template", commit, project.answers, stage / "project")
    return commit, start_repository(project, stage) if git else GitOutcome.NOT_WANTED


def start_repository(project: ProjectSpec, stage: Path) -> GitOutcome:
    """Commit the staged project, unless a repository around it would hold a second one."""
    if work_tree_root(stage):
        return GitOutcome.OUTER
    message = f"{project.name}, as bgscaffold made it (pattern {project.pattern})"
    named = commit_all(stage / "project", message)
    return GitOutcome.COMMITTED if named else GitOutcome.COMMITTED_AS_BGSCAFFOLD


def find_uv() -> str:
    """Return the path of uv, or refuse before anything is created."""
    uv = shutil.which("uv")
    if uv is None:
        raise UvNotFoundError("uv")
    return uv


def sync(uv: str, folder: Path) -> None:
    """Install the project's dependencies into its own environment."""
    try:
        subprocess.run(
            [uv, "sync", "--quiet"], cwd=folder, check=True, stdin=subprocess.DEVNULL
        )
    except KeyboardInterrupt as error:
        raise InstallError(str(folder), "interrupted") from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise InstallError(str(folder), str(error)) from error

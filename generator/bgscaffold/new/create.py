"""Creating a project: its files, its first commit, its dependencies."""

import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from bgscaffold.git.client import amend_all, commit_all, require_git, work_tree_root
from bgscaffold.new.errors import InstallError, PatternConflictError, UvNotFoundError
from bgscaffold.patterns import DEFAULT, Pattern
from bgscaffold.project.spec import ProjectSpec
from bgscaffold.system.atomic_directory import build_atomically
from bgscaffold.template.render import import_copier, render
from bgscaffold.template.source import unpack


class GitOutcome(StrEnum):
    """What happened to the git repository of a new project."""

    COMMITTED = "committed"
    COMMITTED_AS_BGSCAFFOLD = "committed as bgscaffold"
    NOT_WANTED = "not wanted"
    OUTER = "left to the repository around it"

    @property
    def is_own(self) -> bool:
        """Return whether the project has a repository of its own."""
        return self in (GitOutcome.COMMITTED, GitOutcome.COMMITTED_AS_BGSCAFFOLD)


@dataclass(frozen=True)
class NewProject:
    """A project that was created."""

    spec: ProjectSpec
    version: str
    git: GitOutcome
    installed: bool


def resolve_pattern(pattern: Pattern | None, *, with_celery: bool) -> Pattern:
    """Return the pattern that --pattern and --with-celery select."""
    if with_celery and pattern not in (None, Pattern.CELERY):
        raise PatternConflictError(f"--pattern {pattern} --with-celery")
    return Pattern.CELERY if with_celery else pattern or DEFAULT


def create(spec: ProjectSpec, *, git: bool = True, install: bool = False) -> NewProject:
    """Create a project, with a first commit and its dependencies if requested."""
    require_git()
    uv = find_uv() if install else None
    build = partial(render_and_commit, spec, git=git)
    version, outcome = build_atomically(spec.destination, build)
    if uv:
        sync(uv, spec.destination)
        if outcome.is_own:
            amend_all(spec.destination)  # with uv.lock
    return NewProject(spec=spec, version=version, git=outcome, installed=install)


def render_and_commit(
    spec: ProjectSpec, stage: Path, *, git: bool
) -> tuple[str, GitOutcome]:
    """Render a project in a temporary folder, and start its repository there."""
    template = stage / "template"
    version = unpack(template, import_copier)
    render(template, spec.answers, stage / "project", version=version)
    outcome = start_repository(spec, stage) if git else GitOutcome.NOT_WANTED
    return version, outcome


def start_repository(spec: ProjectSpec, stage: Path) -> GitOutcome:
    """Commit a new project, unless it is inside another repository."""
    if work_tree_root(stage):
        return GitOutcome.OUTER
    message = f"Create {spec.name} with bgscaffold (pattern {spec.pattern})"
    if commit_all(stage / "project", message):
        return GitOutcome.COMMITTED
    return GitOutcome.COMMITTED_AS_BGSCAFFOLD


def find_uv() -> str:
    """Return the path of uv."""
    uv = shutil.which("uv")
    if uv is None:
        raise UvNotFoundError("uv")
    return uv


def sync(uv: str, folder: Path) -> None:
    """Install the dependencies of a project into its own environment."""
    command = [uv, "sync", "--quiet"]
    try:
        subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    except KeyboardInterrupt as error:
        raise InstallError(str(folder), "interrupted") from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise InstallError(str(folder), str(error)) from error

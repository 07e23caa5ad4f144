"""A temporary folder for an upgrade, with the project rendered before and after it."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from bgscaffold.git.client import require_git
from bgscaffold.git.errors import GitCommandError
from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.project.errors import AnswersError
from bgscaffold.project.project import Project
from bgscaffold.system.errors import ChangeInterruptedError, WriteError
from bgscaffold.system.signals import run_interruptibly
from bgscaffold.template.errors import RenderError
from bgscaffold.template.questions import answers_known_to, skip_if_exists
from bgscaffold.template.render import import_copier, render
from bgscaffold.template.source import check_out, clone, resolve_commit, versions
from bgscaffold.upgrade.errors import (
    TemporaryFolderFullError,
    UnknownFeatureError,
    VersionNotAvailableError,
)
from bgscaffold.upgrade.target import UpgradeTarget

MINIMUM_FREE_BYTES = 2**20  # a disk with less is full

T = TypeVar("T")


@dataclass(frozen=True)
class Renders:
    """A project as it was created, and as it would be created now."""

    old: Path
    new: Path
    skip_if_exists: list[str]  # patterns of paths that are written only where missing


def in_workspace(project: Project, work: Callable[[Path], T]) -> T:
    """Call a function with a temporary folder that has every template version."""
    require_git()
    folder = temporary_folder() / f"bgscaffold-{token_hex(8)}"

    def begin() -> T:
        try:
            folder.mkdir(mode=0o700)
            clone(template_of(folder))
            return work(folder)
        except (OSError, GitCommandError) as error:
            require_space(folder.parent, error)
            raise

    def clean_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    try:
        interrupted = ChangeInterruptedError(str(project.root))
        return run_interruptibly(begin, clean_up, interrupted)
    except OSError as error:
        file = error.filename or str(folder)
        raise WriteError(file, error.strerror or "") from error


def template_of(workspace: Path) -> Path:
    """Return the repository of the template in a workspace."""
    return workspace / "template.git"


def temporary_folder() -> Path:
    """Return the system's folder for temporary files."""
    try:
        return Path(tempfile.gettempdir()).resolve()
    except OSError as error:
        folder = os.environ.get("TMPDIR", "/tmp")
        raise WriteError(folder, error.strerror or "") from error


def require_space(folder: Path, error: OSError | GitCommandError) -> None:
    """Name the full disk, if that is the reason for an error."""
    if shutil.disk_usage(folder).free < MINIMUM_FREE_BYTES:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        last_line = (reason or "").rpartition("\n")[2]
        raise TemporaryFolderFullError(str(folder), last_line) from error


def render_both(project: Project, target: UpgradeTarget, workspace: Path) -> Renders:
    """Render a project with its recorded answers, and with those of the target."""
    template = template_of(workspace)
    old_commit = require_commit(template, project.commit, project)
    new_commit = require_commit(template, target.commit, project)
    origin = check_out(template, old_commit, workspace / "before", import_copier)
    old = render_recorded(project, origin, workspace / "old")
    if new_commit != old_commit:
        origin = check_out(template, new_commit, workspace / "after")
    require_known_features(target, origin)
    answers = project.answers.values | {"pattern": target.pattern.value}
    answers |= dict.fromkeys(target.added, True)
    new = destination_of(project, workspace / "new")
    known = answers_known_to(origin, answers)
    source = project.answers.source
    render(origin, known, new, version=target.commit, source=source)
    return Renders(old=old, new=new, skip_if_exists=skip_if_exists(origin))


def require_commit(template: Path, version: str, project: Project) -> str:
    """Return the commit of a version, which this bgscaffold must have."""
    commit = resolve_commit(template, version)
    if commit is None:
        known = ", ".join(versions(template)) or "none"
        raise VersionNotAvailableError(project.commit, f"it has {known}")
    return commit


def render_recorded(project: Project, origin: Path, workspace: Path) -> Path:
    """Render a project as it was created."""
    answers = project.answers.values
    require_known_answers(project, origin, answers)
    destination = destination_of(project, workspace)
    version, source = project.commit, project.answers.source
    try:
        render(origin, answers, destination, version=version, source=source)
    except RenderError as error:  # it did render once: the answers were edited
        file = project.root / ANSWERS_FILE
        raise AnswersError(str(file), error.reason) from error
    return destination


def require_known_answers(
    project: Project, template: Path, answers: dict[str, Any]
) -> None:
    """Refuse answers to questions that the template does not ask."""
    unknown = answers.keys() - answers_known_to(template, answers).keys()
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        file = project.root / ANSWERS_FILE
        raise AnswersError(str(file), f"the template asks no question named {names}")


def require_known_features(target: UpgradeTarget, template: Path) -> None:
    """Refuse features that the version of the target does not have."""
    known = answers_known_to(template, dict.fromkeys(target.added, True))
    missing = [each.option for each in target.added if each not in known]
    if missing:
        reason = f"the version is {target.commit}"
        raise UnknownFeatureError(" ".join(missing), reason)


def destination_of(project: Project, folder: Path) -> Path:
    """Return a folder with the project's name; git reads paths line by line."""
    return folder / project.root.name.replace("\n", "-")

"""Promote and update: what a project was made from changes, and the change is merged into it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from bgscaffold.analysis import task_options
from bgscaffold.analysis.migrations import MigrationDivergence, find_divergence
from bgscaffold.analysis.name_collisions import find_collisions
from bgscaffold.analysis.task_options import option_uses
from bgscaffold.features import Feature, feature_titles
from bgscaffold.git.client import git_version, require_git, supports_merge_tree
from bgscaffold.git.errors import GitCommandError
from bgscaffold.git.repository import (
    Repository,
    repository_of,
    require_clean_repository,
    require_no_open_conflicts,
)
from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.project import answers
from bgscaffold.project.answers import RecordedProject
from bgscaffold.project.errors import AnswersError
from bgscaffold.project.project import find_root
from bgscaffold.system.errors import ConcurrentEditError, WriteError
from bgscaffold.system.locks import folder_lock
from bgscaffold.system.signals import run_interruptibly
from bgscaffold.template.errors import RenderError
from bgscaffold.template.render import import_copier, render
from bgscaffold.template.source import (
    check_out,
    clone,
    current_version,
    parse_version,
    resolve_commit,
    versions,
)
from bgscaffold.upgrade.errors import (
    DowngradeError,
    DryRunUnsupportedError,
    TemporaryFolderFullError,
    UnknownFeatureError,
    UnknownOriginError,
    UnknownVersionError,
    UnsupportedOptionsError,
    UpgradeInterruptedError,
)
from bgscaffold.upgrade.merge import (
    MergeResult,
    preview_merge,
    require_writable,
    write_sides,
)
from bgscaffold.upgrade.transaction import merge_transactionally, missing_files


def require_supported_options(folder: Path, pattern: Pattern) -> None:
    """Refuse a pattern that cannot do what the code asks for, naming each place."""
    wishes = [
        wish
        for wish in option_uses(folder)
        if wish.option not in RECORDS[pattern].supports
    ]
    if wishes:
        raise UnsupportedOptionsError(f"pattern {pattern}", "; ".join(map(str, wishes)))


MINIMUM_FREE_BYTES = 2**20  # bytes; with less than that on it a disk is full


@dataclass(frozen=True)
class UpgradeTarget:
    """What a project is to become: a pattern, at a version of the template, with overlays."""

    pattern: Pattern
    commit: str
    added: tuple[Feature, ...] = ()  # those that it does not have yet


@dataclass(frozen=True)
class UpgradeReport:
    """What became of a project, or would become of it in a dry run."""

    project: RecordedProject
    goal: UpgradeTarget
    dry_run: bool
    merged: MergeResult = field(default_factory=lambda: MergeResult([], {}, []))
    shown: Callable[[str], str] = str  # a path of the repository, seen from the project
    written: list[str] = field(default_factory=list)  # files that git ignores
    new_settings: list[str] = field(default_factory=list)
    gone_settings: list[str] = field(default_factory=list)
    parted: MigrationDivergence = field(
        default_factory=MigrationDivergence
    )  # migrations, of the project and new ones
    locked: bool = False  # its uv.lock is tracked
    clashes: list[str] = field(
        default_factory=list
    )  # names that are the project's, and new

    @property
    def nothing_to_do(self) -> bool:
        """Whether the project was there already."""
        return self.goal == UpgradeTarget(self.project.pattern, self.project.commit)


def promote(path: str, pattern: Pattern, *, dry_run: bool = False) -> UpgradeReport:
    """Move a project to another pattern, at the version of the template that it was made from."""
    project = answers.read_answers(project_root_without_conflicts(path))
    goal = UpgradeTarget(pattern, project.commit)
    if pattern is project.pattern:
        return UpgradeReport(project, goal, dry_run)
    return in_temporary_workspace(
        project, lambda scratch: run_upgrade(project, goal, scratch, dry_run=dry_run)
    )


def update(
    path: str,
    to: str | None = None,
    overlays: Sequence[Feature] = (),
    *,
    dry_run: bool = False,
) -> UpgradeReport:
    """Move a project to another version, with the answers that it has; or add overlays; or both."""
    project = answers.read_answers(project_root_without_conflicts(path))
    added = tuple(overlay for overlay in overlays if overlay not in project.overlays)

    def work(scratch: Path) -> UpgradeReport:
        commit = target_version(project, scratch / "template.git", to)
        goal = UpgradeTarget(project.pattern, commit, added)
        if commit == project.commit and not added:
            return UpgradeReport(project, goal, dry_run)
        return run_upgrade(project, goal, scratch, dry_run=dry_run)

    return in_temporary_workspace(project, work)


def project_root_without_conflicts(path: str) -> Path:
    """Return the root of the project that a folder lies in, unless conflicts in it are open."""
    root = find_root(path)
    require_no_open_conflicts(root)
    return root


def in_temporary_workspace(
    project: RecordedProject, work: Callable[[Path], UpgradeReport]
) -> UpgradeReport:
    """Let a function work in a temporary folder that holds every version of the template."""
    require_git()
    scratch = temporary_folder() / f"bgscaffold-{token_hex(8)}"

    def begin() -> UpgradeReport:
        try:
            scratch.mkdir(mode=0o700)
            clone(scratch / "template.git")
            return work(scratch)
        except (OSError, GitCommandError) as error:
            require_space(scratch.parent, error)
            raise

    def clean_up() -> None:
        shutil.rmtree(scratch, ignore_errors=True)

    try:
        return run_interruptibly(
            begin, clean_up, UpgradeInterruptedError(str(project.folder))
        )
    except OSError as error:
        raise WriteError(
            error.filename or str(scratch), error.strerror or ""
        ) from error


def temporary_folder() -> Path:
    """Return the folder for what is temporary, if there is one that can be written to."""
    try:
        return Path(tempfile.gettempdir()).resolve()
    except OSError as error:
        raise WriteError(
            os.environ.get("TMPDIR", "/tmp"), error.strerror or ""
        ) from error


def require_space(folder: Path, error: Exception) -> None:
    """Refuse a folder for what is temporary that is full, if it is; git names each file."""
    if shutil.disk_usage(folder).free < MINIMUM_FREE_BYTES:
        told = str(getattr(error, "strerror", "") or getattr(error, "reason", ""))
        raise TemporaryFolderFullError(str(folder), told.rpartition("\n")[2]) from error


def target_version(project: RecordedProject, template: Path, to: str | None) -> str:
    """Return the tag that `--to` names, or that of this bgscaffold; never an older one."""
    known, ours = versions(template), current_version(template)
    goal = ours if to is None or to == ours else f"v{to.removeprefix('v')}"
    if to is not None and goal not in (*known, ours):
        raise UnknownVersionError(
            to, f"it knows {', '.join(dict.fromkeys([*known, ours]))}"
        )
    before, after = parse_version(project.commit), parse_version(goal)
    if before and after and after < before:
        raise DowngradeError(goal, f"the project is at {project.commit}")
    return goal


def run_upgrade(
    project: RecordedProject, goal: UpgradeTarget, scratch: Path, *, dry_run: bool
) -> UpgradeReport:
    """Render a project as it was made and as it is to be, and merge the difference into it.

    One at a time in a repository, for two merges would undo each other. `add task` waits, too.
    """
    if dry_run and not supports_merge_tree():
        raise DryRunUnsupportedError(git_version())
    repository = repository_of(project.folder)
    require_writable([project.folder, repository.git_dir, repository.objects])
    if dry_run:
        return upgrade_project(
            repository.beside(scratch / "objects"), project, goal, scratch, dry_run
        )
    with folder_lock(repository.git_dir), folder_lock(project.folder):
        return upgrade_project(repository, project, goal, scratch, dry_run)


def upgrade_project(
    repository: Repository,
    project: RecordedProject,
    goal: UpgradeTarget,
    scratch: Path,
    dry_run: bool,
) -> UpgradeReport:
    """Merge into a repository that is at rest, or foresee it."""
    require_clean_repository(repository)
    if answers.read_answers(project.folder) != project:
        raise ConcurrentEditError(str(project.folder / ANSWERS_FILE))
    require_supported_options(project.folder, goal.pattern)
    old, new, kept = render_both(project, goal, scratch)
    sides = write_sides(
        repository, old, new, kept=kept, message=commit_message(project, goal)
    )
    before, after = task_options.setting_names(old), task_options.setting_names(new)
    migrations, same = (
        find_divergence(project.folder, old, new),
        find_collisions(project.folder, old, new),
    )
    if dry_run:
        merged, written = (
            preview_merge(repository, sides),
            missing_files(project.folder, sides.left_out),
        )
    else:
        merged, written = merge_transactionally(
            repository, project.folder, sides, scratch / "kept"
        )
    return UpgradeReport(
        project,
        goal,
        dry_run,
        merged,
        repository.shown,
        written,
        [name for name in after if name not in before],
        [name for name in before if name not in after],
        migrations,
        repository.tracks("uv.lock"),
        same,
    )


def commit_message(project: RecordedProject, goal: UpgradeTarget) -> str:
    """Return what git will offer as the message of the commit."""
    if goal.pattern is not project.pattern:
        return f"Promote {project.name} from {project.pattern} to {goal.pattern}"
    if goal.commit == project.commit:
        return f"Add {feature_titles(goal.added)} to {project.name}"
    with_it = f", with {feature_titles(goal.added)}" if goal.added else ""
    return f"Update {project.name} from bgscaffold {project.commit} to {goal.commit}{with_it}"


def render_both(
    project: RecordedProject, goal: UpgradeTarget, scratch: Path
) -> tuple[Path, Path, list[str]]:
    """Render a project as it was made and as it is to be; return what is kept where it is, too."""
    template = scratch / "template.git"
    before = resolve_commit(template, project.commit)
    after = (
        before
        if goal.commit == project.commit
        else resolve_commit(template, goal.commit)
    )
    if before is None or after is None:
        raise UnknownOriginError(
            project.commit, f"it knows {', '.join(versions(template)) or 'none'}"
        )
    origin = check_out(template, before, scratch / "before", import_copier)
    answers.require_known_answers(project, origin)
    try:
        old = render_project(
            project, origin, project.commit, project.answers, scratch / "old"
        )
    except (
        RenderError
    ) as error:  # with what was rendered once: somebody has changed an answer
        raise AnswersError(str(project.folder / ANSWERS_FILE), error.reason) from error
    target = (
        origin if after == before else check_out(template, after, scratch / "after")
    )
    require_known_features(goal, target)
    given = (
        project.answers
        | {"pattern": goal.pattern.value}
        | dict.fromkeys(goal.added, True)
    )
    new = render_project(project, target, goal.commit, given, scratch / "new")
    return old, new, answers.skip_if_exists_patterns(target)


def require_known_features(goal: UpgradeTarget, template: Path) -> None:
    """Refuse overlays that the version to reach does not have yet."""
    asked = answers.answers_known_to(dict.fromkeys(goal.added, True), template)
    if lacking := [overlay.option for overlay in goal.added if overlay not in asked]:
        raise UnknownFeatureError(
            " ".join(lacking), f"the version to reach is {goal.commit}"
        )


def render_project(
    project: RecordedProject,
    template: Path,
    commit: str,
    given: dict[str, object],
    into: Path,
) -> Path:
    """Render a project into a folder of the same name."""
    destination = into / project.folder.name.replace(
        "\n", "-"
    )  # git takes paths by lines
    render(
        template,
        commit,
        answers.answers_known_to(given, template),
        destination,
        project.source,
    )
    return destination

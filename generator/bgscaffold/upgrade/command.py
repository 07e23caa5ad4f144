"""Promote and update: the difference of two renders, merged into the project."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bgscaffold.analysis.migrations import find_divergence
from bgscaffold.analysis.name_collisions import find_collisions
from bgscaffold.analysis.task_options import option_uses
from bgscaffold.features import Feature
from bgscaffold.git.repository import (
    Repository,
    repository_of,
    require_clean_repository,
)
from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.project.answers import read_answers
from bgscaffold.project.project import Project, documented_settings
from bgscaffold.system.errors import ConcurrentEditError
from bgscaffold.system.locks import folder_lock
from bgscaffold.template.source import current_version, parse_version, versions
from bgscaffold.upgrade.errors import (
    DowngradeError,
    UnknownVersionError,
    UnsupportedOptionsError,
)
from bgscaffold.upgrade.merge import MergePlan, plan_merge, require_writable
from bgscaffold.upgrade.report import UpgradeReport
from bgscaffold.upgrade.sides import write_sides
from bgscaffold.upgrade.target import UpgradeTarget, commit_message
from bgscaffold.upgrade.transaction import Transaction, missing_files
from bgscaffold.upgrade.workspace import (
    in_workspace,
    render_both,
    template_of,
)


def promote(path: str, pattern: Pattern, *, dry_run: bool = False) -> UpgradeReport:
    """Move a project to another pattern, at its own version of the template."""
    project = Project.find(path)
    target = UpgradeTarget(pattern=pattern, commit=project.commit)
    if target.is_reached_by(project):
        return UpgradeReport(project=project, target=target, dry_run=dry_run)
    return in_workspace(project, partial(upgrade, project, target, dry_run))


def update(
    path: str,
    to: str | None = None,
    features: Sequence[Feature] = (),
    *,
    dry_run: bool = False,
) -> UpgradeReport:
    """Move a project to another version of the template, or add features, or both."""
    project = Project.find(path)
    added = tuple(each for each in features if each not in project.features)

    def work(workspace: Path) -> UpgradeReport:
        commit = target_version(project, template_of(workspace), to)
        target = UpgradeTarget(project.pattern, commit, added)
        if target.is_reached_by(project):
            return UpgradeReport(project=project, target=target, dry_run=dry_run)
        return upgrade(project, target, dry_run, workspace)

    return in_workspace(project, work)


def target_version(project: Project, template: Path, to: str | None) -> str:
    """Return the version to update to, by default that of this bgscaffold."""
    known, own = versions(template), current_version(template)
    target = own if to in (None, own) else f"v{str(to).removeprefix('v')}"
    if to is not None and target not in [*known, own]:
        names = ", ".join(dict.fromkeys([*known, own]))
        raise UnknownVersionError(to, f"it has {names}")
    before, after = parse_version(project.commit), parse_version(target)
    if before and after and after < before:
        raise DowngradeError(target, f"the project has {project.commit}")
    return target


def upgrade(
    project: Project, target: UpgradeTarget, dry_run: bool, workspace: Path
) -> UpgradeReport:
    """Upgrade a project, or show what that would change."""
    repository = repository_of(project.root)
    require_writable([project.root, repository.git_dir, repository.objects])
    if dry_run:
        repository = repository.with_object_directory(workspace / "objects")
        return merge_upgrade(repository, project, target, dry_run, workspace)
    with folder_lock(repository.git_dir), folder_lock(project.root):
        return merge_upgrade(repository, project, target, dry_run, workspace)


def merge_upgrade(
    repository: Repository,
    project: Project,
    target: UpgradeTarget,
    dry_run: bool,
    workspace: Path,
) -> UpgradeReport:
    """Merge the difference between two renders into a clean repository."""
    require_clean_repository(repository)
    require_same_answers(project)
    require_supported_options(project, target.pattern)
    renders = render_both(project, target, workspace)
    sides = write_sides(repository, renders, commit_message(project, target))
    plan = plan_merge(repository, sides)
    report = UpgradeReport(
        project=project,
        target=target,
        dry_run=dry_run,
        changes=[change.relative_to(repository) for change in plan.changes],
        conflicts=conflicts_in_project(repository, plan),
        stay_deleted=[repository.from_project(path) for path in plan.stay_deleted],
        written=missing_files(project.root, sides.left_out),
        new_settings=settings_only_in(renders.new, renders.old),
        removed_settings=settings_only_in(renders.old, renders.new),
        divergence=find_divergence(project.root, renders.old, renders.new),
        collisions=find_collisions(project.root, renders.old, renders.new),
        tracks_lock_file=repository.tracks("uv.lock"),
    )
    if not dry_run:
        transaction = Transaction(repository, project.root, sides, plan)
        transaction.apply(workspace / "backup")
    return report


def require_same_answers(project: Project) -> None:
    """Refuse a project whose answers changed while this command waited."""
    if read_answers(project.root) != project.answers:
        raise ConcurrentEditError(str(project.root / ANSWERS_FILE))


def require_supported_options(project: Project, pattern: Pattern) -> None:
    """Refuse a pattern that does not support an option the code uses."""
    supported = RECORDS[pattern].supports
    unsupported = [
        str(use) for use in option_uses(project.root) if use.option not in supported
    ]
    if unsupported:
        raise UnsupportedOptionsError(f"pattern {pattern}", "; ".join(unsupported))


def conflicts_in_project(repository: Repository, plan: MergePlan) -> dict[str, str]:
    """Return the kinds of the conflicts by path, relative to the project."""
    conflicts = plan.conflicts.items()
    return {repository.from_project(path): kind for path, kind in conflicts}


def settings_only_in(one: Path, other: Path) -> list[str]:
    """Return the settings of one render that the other does not have."""
    known = documented_settings(other)
    return [name for name in documented_settings(one) if name not in known]

"""Promote and update: what a project was made from changes, and the change is merged into it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from bgscaffold import answers, declared
from bgscaffold.answers import Recorded
from bgscaffold.apply import carry_out, missing
from bgscaffold.clashes import clashes
from bgscaffold.errors import CannotWrite, ChangedMeanwhile, GitFailed, RenderFailed
from bgscaffold.evolve_errors import (
    AnswersUnreadable,
    CannotForesee,
    Downgrade,
    EvolveInterrupted,
    NoRoom,
    OverlayUnknown,
    UnknownOrigin,
    UnknownVersion,
)
from bgscaffold.existing import root_of
from bgscaffold.git import foresees, git_version, require_git
from bgscaffold.merge import Merged, foresee, refuse_closed, write_sides
from bgscaffold.overlays import Overlay, named
from bgscaffold.patterns import Pattern
from bgscaffold.render import ANSWERS_FILE, import_copier, render
from bgscaffold.repository import Repository, of_project, refuse_conflicts, refuse_unrest
from bgscaffold.revisions import Parted, parted
from bgscaffold.source import check_out, clone, described, resolved, version, versions
from bgscaffold.staging import interruptible
from bgscaffold.turns import alone_in

SPARE = 2**20  # bytes; with less than that on it a disk is full


@dataclass(frozen=True)
class Goal:
    """What a project is to become: a pattern, at a version of the template, with overlays."""

    pattern: Pattern
    commit: str
    added: tuple[Overlay, ...] = ()  # those that it does not have yet


@dataclass(frozen=True)
class Evolved:
    """What became of a project, or would become of it in a dry run."""

    project: Recorded
    goal: Goal
    dry_run: bool
    merged: Merged = field(default_factory=lambda: Merged([], {}, []))
    shown: Callable[[str], str] = str  # a path of the repository, seen from the project
    written: list[str] = field(default_factory=list)  # files that git ignores
    new_settings: list[str] = field(default_factory=list)
    gone_settings: list[str] = field(default_factory=list)
    parted: Parted = field(default_factory=Parted)  # migrations, of the project and new ones
    locked: bool = False  # its uv.lock is tracked
    clashes: list[str] = field(default_factory=list)  # names that are the project's, and new

    @property
    def nothing_to_do(self) -> bool:
        """Whether the project was there already."""
        return self.goal == Goal(self.project.pattern, self.project.commit)


def promote(path: str, pattern: Pattern, *, dry_run: bool = False) -> Evolved:
    """Move a project to another pattern, at the version of the template that it was made from."""
    project = answers.read(settled(path))
    goal = Goal(pattern, project.commit)
    if pattern is project.pattern:
        return Evolved(project, goal, dry_run)
    return with_scratch(project, lambda scratch: evolve(project, goal, scratch, dry_run=dry_run))


def update(
    path: str, to: str | None = None, overlays: Sequence[Overlay] = (), *, dry_run: bool = False
) -> Evolved:
    """Move a project to another version, with the answers that it has; or add overlays; or both."""
    project = answers.read(settled(path))
    added = tuple(overlay for overlay in overlays if overlay not in project.overlays)

    def work(scratch: Path) -> Evolved:
        commit = version_to_reach(project, scratch / "template.git", to)
        goal = Goal(project.pattern, commit, added)
        if commit == project.commit and not added:
            return Evolved(project, goal, dry_run)
        return evolve(project, goal, scratch, dry_run=dry_run)

    return with_scratch(project, work)


def settled(path: str) -> Path:
    """Return the root of the project that a folder lies in, unless conflicts in it are open."""
    root = root_of(path)
    refuse_conflicts(root)
    return root


def with_scratch(project: Recorded, work: Callable[[Path], Evolved]) -> Evolved:
    """Let a function work in a temporary folder that holds every version of the template."""
    require_git()
    scratch = temporary_folder() / f"bgscaffold-{token_hex(8)}"

    def begin() -> Evolved:
        try:
            scratch.mkdir(mode=0o700)
            clone(scratch / "template.git")
            return work(scratch)
        except (OSError, GitFailed) as error:
            refuse_full(scratch.parent, error)
            raise

    def clean_up() -> None:
        shutil.rmtree(scratch, ignore_errors=True)

    try:
        return interruptible(begin, clean_up, EvolveInterrupted(str(project.folder)))
    except OSError as error:
        raise CannotWrite(error.filename or str(scratch), error.strerror or "") from error


def temporary_folder() -> Path:
    """Return the folder for what is temporary, if there is one that can be written to."""
    try:
        return Path(tempfile.gettempdir()).resolve()
    except OSError as error:
        raise CannotWrite(os.environ.get("TMPDIR", "/tmp"), error.strerror or "") from error


def refuse_full(folder: Path, error: Exception) -> None:
    """Refuse a folder for what is temporary that is full, if it is; git names each file."""
    if shutil.disk_usage(folder).free < SPARE:
        told = str(getattr(error, "strerror", "") or getattr(error, "reason", ""))
        raise NoRoom(str(folder), told.rpartition("\n")[2]) from error


def version_to_reach(project: Recorded, template: Path, to: str | None) -> str:
    """Return the tag that `--to` names, or that of this bgscaffold; never an older one."""
    known, ours = versions(template), described(template)
    goal = ours if to is None or to == ours else f"v{to.removeprefix('v')}"
    if to is not None and goal not in (*known, ours):
        raise UnknownVersion(to, f"it knows {', '.join(dict.fromkeys([*known, ours]))}")
    before, after = version(project.commit), version(goal)
    if before and after and after < before:
        raise Downgrade(goal, f"the project is at {project.commit}")
    return goal


def evolve(project: Recorded, goal: Goal, scratch: Path, *, dry_run: bool) -> Evolved:
    """Render a project as it was made and as it is to be, and merge the difference into it.

    One at a time in a repository, for two merges would undo each other. `add task` waits, too.
    """
    if dry_run and not foresees():
        raise CannotForesee(git_version())
    repository = of_project(project.folder)
    refuse_closed([project.folder, repository.git_dir, repository.objects])
    if dry_run:
        return merge_into(repository.beside(scratch / "objects"), project, goal, scratch, dry_run)
    with alone_in(repository.git_dir), alone_in(project.folder):
        return merge_into(repository, project, goal, scratch, dry_run)


def merge_into(
    repository: Repository, project: Recorded, goal: Goal, scratch: Path, dry_run: bool
) -> Evolved:
    """Merge into a repository that is at rest, or foresee it."""
    refuse_unrest(repository)
    if answers.read(project.folder) != project:
        raise ChangedMeanwhile(str(project.folder / ANSWERS_FILE))
    declared.refuse_unsupported(project.folder, goal.pattern)
    old, new, kept = render_both(project, goal, scratch)
    sides = write_sides(repository, old, new, kept=kept, message=title(project, goal))
    before, after = declared.settings(old), declared.settings(new)
    migrations, same = parted(project.folder, old, new), clashes(project.folder, old, new)
    if dry_run:
        merged, written = foresee(repository, sides), missing(project.folder, sides.left_out)
    else:
        merged, written = carry_out(repository, project.folder, sides, scratch / "kept")
    return Evolved(
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


def title(project: Recorded, goal: Goal) -> str:
    """Return what git will offer as the message of the commit."""
    if goal.pattern is not project.pattern:
        return f"Promote {project.name} from {project.pattern} to {goal.pattern}"
    if goal.commit == project.commit:
        return f"Add {named(goal.added)} to {project.name}"
    with_it = f", with {named(goal.added)}" if goal.added else ""
    return f"Update {project.name} from bgscaffold {project.commit} to {goal.commit}{with_it}"


def render_both(project: Recorded, goal: Goal, scratch: Path) -> tuple[Path, Path, list[str]]:
    """Render a project as it was made and as it is to be; return what is kept where it is, too."""
    template = scratch / "template.git"
    before = resolved(template, project.commit)
    after = before if goal.commit == project.commit else resolved(template, goal.commit)
    if before is None or after is None:
        raise UnknownOrigin(project.commit, f"it knows {', '.join(versions(template)) or 'none'}")
    origin = check_out(template, before, scratch / "before", import_copier)
    answers.refuse_unknown(project, origin)
    try:
        old = render_one(project, origin, project.commit, project.answers, scratch / "old")
    except RenderFailed as error:  # with what was rendered once: somebody has changed an answer
        raise AnswersUnreadable(str(project.folder / ANSWERS_FILE), error.reason) from error
    target = origin if after == before else check_out(template, after, scratch / "after")
    refuse_unknown_overlays(goal, target)
    given = project.answers | {"pattern": goal.pattern.value} | dict.fromkeys(goal.added, True)
    new = render_one(project, target, goal.commit, given, scratch / "new")
    return old, new, answers.kept(target)


def refuse_unknown_overlays(goal: Goal, template: Path) -> None:
    """Refuse overlays that the version to reach does not have yet."""
    asked = answers.asked(dict.fromkeys(goal.added, True), template)
    if lacking := [overlay.option for overlay in goal.added if overlay not in asked]:
        raise OverlayUnknown(" ".join(lacking), f"the version to reach is {goal.commit}")


def render_one(
    project: Recorded, template: Path, commit: str, given: dict[str, object], into: Path
) -> Path:
    """Render a project into a folder of the same name."""
    destination = into / project.folder.name.replace("\n", "-")  # git takes paths by lines
    render(template, commit, answers.asked(given, template), destination, project.source)
    return destination

"""The migrations of a project, read and not run: what follows what, and where they part."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bgscaffold.analysis.syntax import parse_file
from bgscaffold.layout import application_packages


@dataclass(frozen=True)
class Revision:
    """One migration: its file in the project, what it is called, and which it follows."""

    file: str
    name: str
    follows: frozenset[str]


@dataclass(frozen=True)
class MigrationDivergence:
    """What migrations that are new mean to those that a project has already."""

    twins: list[tuple[str, str]] = field(
        default_factory=list
    )  # the project's, and the new one
    heads: list[str] = field(
        default_factory=list
    )  # all that nothing follows, if not only one
    back: str = (
        ""  # to which a database goes back that has the new ones; '' when none is new
    )

    def __bool__(self) -> bool:
        return bool(self.twins or self.heads)


def find_divergence(project: Path, old: Path, new: Path) -> MigrationDivergence:
    """Compare what a new render brings with what the project has."""
    known = {revision.file for revision in revisions(old)}
    brought = [revision for revision in revisions(new) if revision.file not in known]
    present = list(revisions(project))
    twins = [
        (its.file, ours.file)
        for ours in brought
        for its in present
        if its.name == ours.name and its.file != ours.file
    ]
    ends = heads([*present, *brought])
    back = downgrade_target(present, brought, {new for _own, new in twins})
    return MigrationDivergence(twins, ends if brought and len(ends) > 1 else [], back)


def downgrade_target(
    present: list[Revision], brought: list[Revision], renamed: set[str]
) -> str:
    """Return what `alembic downgrade` takes to leave what the project had, and nothing else.

    Where others follow the same revision, Alembic takes those back too, unless a branch is named.
    """
    if not brought:
        return ""
    names = {revision.name for revision in brought}
    first = next(each for each in brought if not each.follows & names)
    before = min(first.follows, default="base")
    alone = heads(present) == [before]
    return (
        before
        if alone
        else f"{alternative_revision(first.file) if renamed else first.name}@{before}"
    )


def alternative_revision(file: str) -> str:
    """Return a name for a revision whose own is taken: that of its file."""
    return PurePosixPath(file).stem


def heads(found: list[Revision]) -> list[str]:
    """Return the names of the revisions that no other follows."""
    followed = frozenset[str]().union(*(revision.follows for revision in found))
    return sorted({revision.name for revision in found} - followed)


def revisions(project: Path) -> Iterator[Revision]:
    """Yield every revision of a project."""
    for package in application_packages(project):
        for file in sorted(package.glob("migrations/versions/*.py")):
            facts = literal_assignments(file)
            if isinstance(name := facts.get("revision"), str):
                path = file.relative_to(project).as_posix()
                yield Revision(
                    path, name, frozenset(revision_names(facts.get("down_revision")))
                )


def literal_assignments(file: Path) -> dict[str, object]:
    """Return the plain values that a module gives to names at its top."""
    found: dict[str, object] = {}
    for node in parse_file(file).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in [
                target.id for target in targets if isinstance(target, ast.Name)
            ]:
                with suppress(ValueError):
                    found[name] = ast.literal_eval(node.value)
    return found


def revision_names(value: object) -> list[str]:
    """Return what a revision says that it follows: nothing, one or several."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [name for name in values if isinstance(name, str)]

"""The migrations of a project, read from their files."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bgscaffold.analysis.syntax import assigned_name, parse_file
from bgscaffold.layout import application_packages


@dataclass(frozen=True)
class Revision:
    """A migration: its file in the project, its revision and those that it follows."""

    file: str
    name: str
    follows: frozenset[str]


@dataclass(frozen=True)
class MigrationDivergence:
    """How new migrations and those of a project get into each other's way."""

    # Pairs of files with the same revision: the project's, and the new one.
    twins: list[tuple[str, str]] = field(default_factory=list)
    # The revisions that no other follows, if there is more than one.
    heads: list[str] = field(default_factory=list)
    # What `alembic downgrade` takes to undo the new migrations, '' if there are none.
    downgrade_target: str = ""

    def __bool__(self) -> bool:
        return bool(self.twins or self.heads)


def find_divergence(project: Path, old: Path, new: Path) -> MigrationDivergence:
    """Compare the migrations that a new render adds with those of the project."""
    known = {revision.file for revision in revisions(old)}
    added = [revision for revision in revisions(new) if revision.file not in known]
    if not added:
        return MigrationDivergence()
    present = list(revisions(project))
    twins = find_twins(present, added)
    newest = heads([*present, *added])
    return MigrationDivergence(
        twins=twins,
        heads=newest if len(newest) > 1 else [],
        downgrade_target=downgrade_target(present, added, is_renamed=bool(twins)),
    )


def find_twins(present: list[Revision], added: list[Revision]) -> list[tuple[str, str]]:
    """Return the pairs of files with the same revision."""
    twins = []
    for new in added:
        for own in present:
            if own.name == new.name and own.file != new.file:
                twins.append((own.file, new.file))
    return twins


def downgrade_target(
    present: list[Revision], added: list[Revision], *, is_renamed: bool
) -> str:
    """Return the argument of `alembic downgrade` that undoes the added revisions only.

    Where other revisions follow the same one, it needs the name of a branch, or Alembic
    undoes those too.
    """
    names = {revision.name for revision in added}
    first = next(each for each in added if not each.follows & names)
    target = min(first.follows, default="base")
    if heads(present) == [target]:
        return target
    branch = alternative_revision(first.file) if is_renamed else first.name
    return f"{branch}@{target}"


def alternative_revision(file: str) -> str:
    """Return a free revision for a file whose own is taken: the name of the file."""
    return PurePosixPath(file).stem


def heads(revisions: list[Revision]) -> list[str]:
    """Return the revisions that no other follows."""
    followed = {name for revision in revisions for name in revision.follows}
    return sorted({revision.name for revision in revisions} - followed)


def revisions(project: Path) -> Iterator[Revision]:
    """Yield every revision of a project."""
    for package in application_packages(project):
        for file in sorted(package.glob("migrations/versions/*.py")):
            values = literal_assignments(file)
            name = values.get("revision")
            if isinstance(name, str):
                yield Revision(
                    file=file.relative_to(project).as_posix(),
                    name=name,
                    follows=frozenset(revision_names(values.get("down_revision"))),
                )


def literal_assignments(file: Path) -> dict[str, object]:
    """Return the literals that a module assigns to names at its top level."""
    found: dict[str, object] = {}
    for statement in parse_file(file).body:
        name = assigned_name(statement)
        value = getattr(statement, "value", None)
        if name and value is not None:
            with suppress(ValueError):
                found[name] = ast.literal_eval(value)
    return found


def revision_names(value: object) -> list[str]:
    """Return the revisions in a `down_revision`: none, one or several."""
    values = value if isinstance(value, list | tuple) else [value]
    return [name for name in values if isinstance(name, str)]

"""Names that a new render shares with the project: domains, tables, routes, settings.

Git sees no conflict, because the names are in different files.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.analysis.routes import Route, find_routes, router_files
from bgscaffold.analysis.syntax import (
    all_nodes,
    argument,
    assigned_name,
    last_name,
    parse_file,
    string_value,
)
from bgscaffold.analysis.task_options import find_settings
from bgscaffold.layout import application_packages

TASK_MODULES = ("*/tasks.py", "*/tasks/*.py")
NOT_DOMAINS = frozenset(["migrations"])


@dataclass(frozen=True)
class Definition:
    """A name, and the line of the project that defines it."""

    name: str
    file: str
    line: int


@dataclass(frozen=True)
class Versions:
    """A project, and the renders of the template between which it is upgraded."""

    project: Path
    old: Path
    new: Path


def find_collisions(project: Path, old: Path, new: Path) -> list[str]:
    """Describe the names that a new render adds and the project already has."""
    if not application_packages(project):
        return []
    versions = Versions(
        project=project,
        old=old,
        new=new,
    )
    return [
        *domain_collisions(versions),
        *table_collisions(versions),
        *route_collisions(versions),
        *setting_collisions(versions),
    ]


def is_in(package: Path, file: Path) -> bool:
    """Return whether a file of a package is in one of its domains, or beside them."""
    return file.relative_to(package).parts[0] not in NOT_DOMAINS


# ---- Domains ------------------------------------------------------------------------


def domain_collisions(versions: Versions) -> Iterator[str]:
    """Describe the folders of the project that have the name of a new domain."""
    package = application_packages(versions.project)[0]
    for name in sorted(domains(versions.new) - domains(versions.old)):
        folder = package / name
        if any(folder.rglob("*.py")):
            path = folder.relative_to(versions.project).as_posix()
            yield (
                f"The update adds a domain named {name}, but {path}/ already exists."
                " Rename yours and commit before updating."
            )


def domains(render: Path) -> set[str]:
    """Return the names of the domains of a project."""
    found = set()
    for package in application_packages(render):
        files = router_files(package)
        for pattern in TASK_MODULES:
            files += package.glob(pattern)
        for file in files:
            found.add(file.relative_to(package).parts[0])
    return found - NOT_DOMAINS


# ---- Tables -------------------------------------------------------------------------


def table_collisions(versions: Versions) -> Iterator[str]:
    """Describe the tables that a new model and one of the project's share."""
    yours = by_name(find_tables(versions.project))
    for name in by_name(find_tables(versions.old)):
        yours.pop(name, None)
    for table in find_tables(versions.new):
        if own := yours.get(table.name):
            yield (
                f"The table {table.name} is declared twice: yours in {own.file}, line"
                f" {own.line}, and a new one in {table.file}. The application does not"
                " start before you rename one of them."
            )


def by_name(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """Return definitions by their names."""
    return {definition.name: definition for definition in definitions}


def find_tables(project: Path) -> Iterator[Definition]:
    """Yield the tables that the models of a project declare."""
    for package in application_packages(project):
        for file in sorted(package.rglob("*.py")):
            if is_in(package, file):
                path = file.relative_to(project).as_posix()
                for name, line in tables_in(parse_file(file)):
                    yield Definition(
                        name=name,
                        file=path,
                        line=line,
                    )


def tables_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the names of the tables that a module declares, with their lines."""
    for node in all_nodes(tree):
        name = string_value(table_name(node), tree)
        if name is not None:
            yield name, getattr(node, "lineno", 0)


def table_name(node: ast.AST) -> ast.expr | None:
    """Return the name in `__tablename__ = NAME` or `Table(NAME)`."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value if assigned_name(node) == "__tablename__" else None
    if isinstance(node, ast.Call) and last_name(node.func) == "Table":
        return argument(node, "name")
    return None


# ---- Routes -------------------------------------------------------------------------


def route_collisions(versions: Versions) -> Iterator[str]:
    """Describe the routes of the project and new ones that match the same requests."""
    known = {file for file, _ in routes_by_file(versions.old)}
    added: dict[str, list[Route]] = {}
    for file, route in routes_by_file(versions.new):
        if file not in known:
            added.setdefault(file, []).append(route)
    for file, route in routes_by_file(versions.project):
        for new_file, routes in added.items():
            names = [str(new) for new in routes if route.overlaps(new)]
            if names and domain_of(new_file) != domain_of(file):
                yield (
                    f"Your route {route} ({file}, line {route.line}) overlaps new"
                    f" routes in {new_file}: {', '.join(names)}."
                    f" {precedence_note(file, new_file)}"
                )


def routes_by_file(project: Path) -> list[tuple[str, Route]]:
    """Return the routes of a project, each with its file in the project."""
    return [
        (route.file.relative_to(project).as_posix(), route)
        for package in application_packages(project)
        for route in find_routes(package)
    ]


def domain_of(file: str) -> str:
    """Return the name of the folder of a domain, from a file in it."""
    folder = Path(file).parent
    return folder.parent.name if folder.name == "routers" else folder.name


def precedence_note(yours: str, new: str) -> str:
    """Describe which of two overlapping routes answers."""
    if Path(yours).name == "main.py":
        return "The one that main.py includes first answers."
    first = "yours" if Path(yours).parts < Path(new).parts else "the new one"
    return f"Domains are included in alphabetical order, so {first} answers."


# ---- Settings -----------------------------------------------------------------------


def setting_collisions(versions: Versions) -> Iterator[str]:
    """Describe the new settings that read the same variable as one of the project's."""
    known = {setting.name for setting in find_settings(versions.old)}
    yours = {setting.name: setting for setting in find_settings(versions.project)}
    for setting in find_settings(versions.new):
        own = yours.get(setting.name)
        if own and setting.name not in known:
            yield (
                f"The setting {setting.name} is declared twice: yours in {own.file},"
                f" line {own.line}, and a new one in {setting.file}. Both read the same"
                " variable."
            )

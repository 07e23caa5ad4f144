"""What new files call as the project calls something of its own: domains, tables, routes.

Git sees no conflict there, for the files are others. The code is read and not run.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from bgscaffold.analysis.routes import OTHER_METHODS, paths_overlap, prefix_in
from bgscaffold.analysis.syntax import (
    all_nodes,
    argument,
    assigned_name,
    decorator_calls,
    last_name,
    parse_file,
    parse_modules,
    string_value,
)
from bgscaffold.layout import application_packages

MODULES = ("router.py", "tasks.py")  # what makes a folder a domain
NO_DOMAINS = ("background", "migrations")


@dataclass(frozen=True)
class Definition:
    """Something with a name, and where it stands."""

    name: str
    file: str
    line: int

    @property
    def domain(self) -> str:
        """Return the folder that it lies in."""
        return Path(self.file).parent.name


def find_collisions(project: Path, old: Path, new: Path) -> list[str]:
    """Say what a new render brings that a project has already under the same name."""
    if not application_packages(project):
        return []
    return [
        *map(domain_collision_message, domain_collisions(project, old, new)),
        *table_collisions(project, old, new),
        *route_collisions(project, old, new),
    ]


# ---- Domains -------------------------------------------------------------------------------------


def domain_collisions(project: Path, old: Path, new: Path) -> list[str]:
    """Return the folders of the project where a domain that is new has to go."""
    brought = domains(new) - domains(old)
    folders = [
        package / name
        for package in application_packages(project)[:1]
        for name in sorted(brought)
    ]
    return [
        each.relative_to(project).as_posix()
        for each in folders
        if any(each.glob("*.py"))
    ]


def domains(render: Path) -> set[str]:
    """Return the names of the domains of a render."""
    files = [file for name in MODULES for file in render.glob(f"app/*/{name}")]
    return {file.parent.name for file in files} - set(NO_DOMAINS)


def domain_collision_message(folder: str) -> str:
    """Say what to do about a domain that is there twice."""
    return (
        f"{folder}/ is yours, and what is new brings a domain of that name: better rename yours, and"
        " commit that, before you update."
    )


# ---- Tables --------------------------------------------------------------------------------------


def table_collisions(project: Path, old: Path, new: Path) -> Iterator[str]:
    """Say which tables that are new have the name of one that the project has."""
    present = {table.name: table for table in tables(old)}
    own = {table.name: table for table in tables(project)}
    for table in tables(new):
        if table.name in own.keys() - present.keys():
            yours = own[table.name]
            yield (
                f"The table {table.name} is yours ({yours.file}, line {yours.line}) and new"
                f" ({table.file}). Nothing starts until one of the two has another name."
            )


def tables(project: Path) -> Iterator[Definition]:
    """Yield the tables that the models of a project declare."""
    for package in application_packages(project):
        for file in sorted(package.rglob("*.py")):
            if file.relative_to(package).parts[0] not in NO_DOMAINS:
                path = file.relative_to(project).as_posix()
                for name, line in tables_in(parse_file(file)):
                    yield Definition(name, path, line)


def tables_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the tables that a module declares, each with its line."""
    for node in all_nodes(tree):
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and assigned_name(node) == "__tablename__"
        ):
            name = string_value(node.value, tree)
        elif isinstance(node, ast.Call) and last_name(node.func) == "Table":
            name = string_value(argument(node, "name"), tree)
        else:
            continue
        if name is not None:
            yield name, node.lineno


# ---- Routes --------------------------------------------------------------------------------------


def route_collisions(project: Path, old: Path, new: Path) -> Iterator[str]:
    """Say which routes of the project take a URL of one that is new, and which answers then."""
    before = {route.file for route in routes(old)}
    brought = [route for route in routes(new) if route.file not in before]
    for own in routes(project):
        taken = [
            each
            for each in brought
            if each.domain != own.domain and routes_overlap(own, each)
        ]
        for file, there in groupby(taken, lambda route: route.file):
            names = ", ".join(route.name for route in there)
            yield (
                f"{own.name} ({own.file}, line {own.line}) is yours; new, in {file}: {names}."
                f" {precedence_note(own, Path(file).parent.name)}"
            )


def routes_overlap(one: Definition, other: Definition) -> bool:
    """Tell whether there is a request that two routes take."""
    (method, path), (another, there) = one.name.split(" ", 1), other.name.split(" ", 1)
    return method == another and paths_overlap(path, there)


def precedence_note(own: Definition, domain: str) -> str:
    """Say which of two routes comes first: the domains' routers are included by their names."""
    if Path(own.file).name != "router.py":
        return "The first that main.py includes answers."
    first = "yours" if own.domain < domain else "the new one"
    return f"Where both fit, {first} answers: domains are asked in the order of their names."


def routes(project: Path) -> Iterator[Definition]:
    """Yield the routes of the domains and of main.py, as in `GET /orders`."""
    for package in application_packages(project):
        for pattern in ("*/router.py", "main.py"):
            for file, tree in parse_modules(package, pattern):
                for call in decorator_calls(tree):
                    path = string_value(argument(call, "path"), tree)
                    place = file.relative_to(project).as_posix()
                    for method in methods(call) if path is not None else []:
                        name = f"{method} {prefix_in(tree) or ''}{path}"
                        yield Definition(name, place, call.lineno)


def methods(call: ast.Call) -> list[str]:
    """Return the methods that a decorator makes a route for, none when it makes no route."""
    name = last_name(call.func)
    if name in OTHER_METHODS | {"post"}:
        return [name.upper()]
    given = [keyword.value for keyword in call.keywords if keyword.arg == "methods"]
    if name not in ("api_route", "route"):
        return []
    return re.findall(r"\b[A-Z]+\b", ast.unparse(given[0])) if given else ["GET"]

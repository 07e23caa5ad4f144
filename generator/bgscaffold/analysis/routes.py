"""The routes of a project, read from its routers."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.analysis.syntax import (
    all_nodes,
    argument,
    assigned_name,
    calls,
    decorator_calls,
    keyword_argument,
    last_name,
    parse_file,
    source_of,
    string_value,
)

METHODS = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
)
OWN_DECORATORS = frozenset([*map(str.lower, METHODS), "websocket"])
GENERAL_DECORATORS = frozenset(
    [
        "add_api_route",
        "api_route",
        "route",
    ]
)


@dataclass(frozen=True)
class Route:
    """A route: `GET /orders/{order_id}`, and the line that declares it."""

    method: str
    path: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def overlaps(self, other: "Route") -> bool:
        """Return whether there is a request that both routes match."""
        return self.method == other.method and paths_overlap(self.path, other.path)


def router_files(package: Path, domain: str = "*") -> list[Path]:
    """Return the modules of the routers of a domain, by default of all domains."""
    files = {
        *package.glob(f"{domain}/router.py"),
        *package.glob(f"{domain}/routers/*.py"),
    }
    return sorted(file for file in files if file.name != "__init__.py")


def find_routes(package: Path) -> Iterator[Route]:
    """Yield the routes of an application, in the order in which it includes them."""
    for file in [*router_files(package), package / "main.py"]:
        tree = parse_file(file)
        prefix = router_prefix(tree) or ""
        for call in [*decorator_calls(tree), *added_routes(tree)]:
            path = string_value(argument(call, "path"), tree)
            for method in methods(call) if path is not None else []:
                yield Route(method, f"{prefix}{path}", file, call.lineno)


def added_routes(tree: ast.Module) -> list[ast.Call]:
    """Return the calls of `add_api_route`."""
    return [call for call in calls(tree) if last_name(call.func) == "add_api_route"]


def methods(call: ast.Call) -> list[str]:
    """Return the methods of the routes that a call adds; none, if it adds none."""
    name = last_name(call.func)
    if name in OWN_DECORATORS:
        return [name.upper()]
    if name not in GENERAL_DECORATORS:
        return []
    declared = keyword_argument(call, "methods")
    if declared is None:
        return ["GET"]
    written = re.findall(r"\w+", source_of(declared))
    return [each for each in METHODS if each in written] or list(METHODS)


def find_router(tree: ast.Module) -> ast.Call | None:
    """Return the call that creates the router of a module."""
    for statement in tree.body:
        if assigned_name(statement) == "router":
            value = getattr(statement, "value", None)
            if isinstance(value, ast.Call):
                return value
    return None


def router_prefix(tree: ast.Module) -> str | None:
    """Return the prefix of a module's router, None if only a running program has it."""
    if assigns_prefix(tree):
        return None
    router = find_router(tree)
    prefix = keyword_argument(router, "prefix") if router else None
    return "" if prefix is None else string_value(prefix, tree)


def assigns_prefix(tree: ast.Module) -> bool:
    """Return whether a module assigns to `router.prefix`."""
    for node in all_nodes(tree):
        match node:
            case ast.Attribute(ast.Name("router"), "prefix", ast.Store()):
                return True
    return False


def paths_overlap(one: str, other: str) -> bool:
    """Return whether there is a URL that both paths match."""
    return path_matches(one, other) or path_matches(other, one)


def path_matches(pattern: str, path: str) -> bool:
    """Return whether a path matches the URLs of another path."""
    parts = re.split(r"(\{[^}]*\})", pattern)
    expression = "".join(map(part_expression, parts))
    return re.fullmatch(expression, re.sub(r"\{[^}]*\}", "7", path)) is not None


def part_expression(part: str) -> str:
    """Return the expression for a part of a path: a text, or a parameter in braces."""
    if not part.startswith("{"):
        return re.escape(part)
    return ".*" if part.endswith(":path}") else "[^/]+"

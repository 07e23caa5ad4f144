"""Where the route of a new task goes, and whether another route is in its way."""

import ast
import re

from bgscaffold.add_task.errors import RouteTakenError, UnsupportedRouterError
from bgscaffold.add_task.files import Domain
from bgscaffold.analysis.routes import (
    Route,
    find_router,
    find_routes,
    router_files,
    router_prefix,
)
from bgscaffold.analysis.syntax import is_bound_once, last_name, parse_file

PREFIX = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)
RESERVED = frozenset(["tasks", "health", "metrics", "console"])  # routes of afterward


def domain_prefix(domain: Domain) -> str:
    """Return the prefix for a new route: that of the domain's routers, or its name."""
    prefixes = set()
    for file in router_files(domain.package, domain.name):
        tree = parse_file(file)
        prefix = router_prefix(tree)
        reason = router_problem(tree, prefix)
        if reason:
            raise UnsupportedRouterError(str(file), reason)
        prefixes.add(prefix)
    common = prefixes.pop() if len(prefixes) == 1 else ""
    return common or f"/{domain.name.replace('_', '-')}"


def router_problem(tree: ast.Module, prefix: str | None) -> str:
    """Return why the routes of a router cannot be known, '' if they can."""
    router = find_router(tree)
    if router is None or not is_bound_once(tree, "router"):
        return "it has no `router = APIRouter(...)`, or more than one"
    place = f"line {router.lineno}"
    if last_name(router.func) != "APIRouter":
        return f"{place}: the router is not an APIRouter"
    if {"dependencies", None} & {keyword.arg for keyword in router.keywords}:
        return f"{place}: its routes may have dependencies"
    if prefix is None or not PREFIX.fullmatch(prefix):
        return f"{place}: its prefix is not a literal path"
    return ""


def require_free_path(domain: Domain, path: str) -> None:
    """Refuse a path that shadows another route, or is shadowed by one."""
    if path.split("/")[1] in RESERVED:
        raise RouteTakenError(path, "the runtime's own routes begin with it")
    new = Route(
        method="POST",
        path=path,
        file=domain.folder,
        line=0,
    )
    for route in find_routes(domain.package):
        if route.overlaps(new):
            place = f"{route.file}, line {route.line}"
            raise RouteTakenError(path, f"{place}: {route.path}")

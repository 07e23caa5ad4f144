"""Routers and routes, read from the code."""

import ast
import re

from bgscaffold.analysis.syntax import (
    assigned_name,
    source_of,
    string_value,
)

OTHER_METHODS = frozenset(
    [
        "get",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "trace",
        "websocket",
        "websocket_route",
    ]
)


def router_of(tree: ast.Module) -> ast.Call | None:
    """Return the call that makes a module's router."""
    made = [
        statement for statement in tree.body if assigned_name(statement) == "router"
    ]
    calls = [s.value for s in made if isinstance(s, ast.Assign | ast.AnnAssign)]
    return next((call for call in calls if isinstance(call, ast.Call)), None)


def prefix_in(tree: ast.Module) -> str | None:
    """Return the prefix that a module's router has, None when only a running program knows it."""
    written = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    if any(
        isinstance(a.ctx, ast.Store) and source_of(a) == "router.prefix"
        for a in written
    ):
        return None
    keywords = {
        keyword.arg: keyword.value
        for keyword in getattr(router_of(tree), "keywords", [])
    }
    return string_value(keywords["prefix"], tree) if "prefix" in keywords else ""


def may_accept_post(call: ast.Call) -> bool:
    """Tell whether a decorator may make a route for POST."""
    return getattr(call.func, "attr", "") not in OTHER_METHODS


def paths_overlap(one: str, other: str) -> bool:
    """Tell whether there is a URL that both paths take."""
    return path_matches(one, other) or path_matches(other, one)


def path_matches(taker: str, path: str) -> bool:
    """Tell whether a path takes the URLs of another, whatever its parameters are called."""
    parts = re.split(r"(\{[^}]*\})", taker)
    pattern = "".join(
        re.escape(part) if part[:1] != "{" else parameter_pattern(part)
        for part in parts
    )
    return re.fullmatch(pattern, re.sub(r"\{[^}]*\}", "7", path)) is not None


def parameter_pattern(parameter: str) -> str:
    """Return the expression for what a parameter of a path takes."""
    return ".*" if parameter.endswith(":path}") else "[^/]+"

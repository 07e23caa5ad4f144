"""Routers as they are written: where their routes lie, which are there, what they answer with."""

import ast
import re
from contextlib import suppress

from bgscaffold.errors import CannotEdit, NameTaken, RouterUnclear, RouteTaken
from bgscaffold.existing import Existing
from bgscaffold.insertion import Import, Source, appended, imported, load, meant
from bgscaffold.reading import (
    argument,
    code_of,
    decorators,
    is_bound_once,
    modules,
    target_of,
    text_of,
)
from bgscaffold.task_code import accepted_class

ROUTERS = ("fastapi.APIRouter", "fastapi.routing.APIRouter")
# What changes neither where a route lies, nor who may call it, nor what it answers; a class of routes
# mostly does something around the call, as that of the domain `documents` does.
HARMLESS = frozenset(
    [
        *("prefix", "tags", "responses", "include_in_schema", "deprecated"),
        *("redirect_slashes", "generate_unique_id_function", "route_class"),
    ]
)
PREFIX = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)
OTHER_METHODS = frozenset(
    ["get", "put", "patch", "delete", "head", "options", "trace", "websocket", "websocket_route"]
)
ANSWERS = ("Accepted", "AcceptedTask")  # the second where the first is something else


# ---- Where a route lies --------------------------------------------------------------------------


def prefix(source: Source) -> str:
    """Return the prefix of a module's router, or refuse one that only a running program knows."""
    call = router_of(source.tree)
    if call is None or not is_bound_once(source.tree, "router"):
        raise RouterUnclear(str(source.path), "it has no router = APIRouter(), or more than one")
    name = code_of(call.func).partition(".")[0]
    if meant(source, call.func) not in ROUTERS or not is_bound_once(source.tree, name):
        raise RouterUnclear(str(source.path), f"line {call.lineno}: no APIRouter of fastapi")
    for keyword in call.keywords:
        if keyword.arg not in HARMLESS:
            told = f"line {call.lineno}: {keyword.arg or '**'} may change what its routes do"
            raise RouterUnclear(str(source.path), told)
    text = prefix_in(source.tree)
    if text is None or not PREFIX.fullmatch(text):
        told = f"line {call.lineno}: its prefix is no plain path"
        raise RouterUnclear(str(source.path), told)
    return text


def router_of(tree: ast.Module) -> ast.Call | None:
    """Return the call that makes a module's router."""
    made = [statement for statement in tree.body if target_of(statement) == "router"]
    calls = [s.value for s in made if isinstance(s, ast.Assign | ast.AnnAssign)]
    return next((call for call in calls if isinstance(call, ast.Call)), None)


def prefix_in(tree: ast.Module) -> str | None:
    """Return the prefix that a module's router has, None when only a running program knows it."""
    written = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    if any(isinstance(a.ctx, ast.Store) and code_of(a) == "router.prefix" for a in written):
        return None
    keywords = {keyword.arg: keyword.value for keyword in getattr(router_of(tree), "keywords", [])}
    return text_of(keywords["prefix"], tree) if "prefix" in keywords else ""


# ---- Which routes are there ----------------------------------------------------------------------


def refuse_route(project: Existing, path: str) -> None:
    """Refuse a path that a route has already, or that one of the two would take from the other."""
    for file, tree in modules(project.root, "app/*/router.py"):
        for call in decorators(tree):
            written = text_of(argument(call, "path"), tree)
            there = f"{prefix_in(tree) or ''}{written}"
            if written is not None and may_post(call) and overlap(there, path):
                raise RouteTaken(path, f"{file}, line {call.lineno}: {there}")


def may_post(call: ast.Call) -> bool:
    """Tell whether a decorator may make a route for POST."""
    return getattr(call.func, "attr", "") not in OTHER_METHODS


def overlap(one: str, other: str) -> bool:
    """Tell whether there is a URL that both paths take."""
    return takes(one, other) or takes(other, one)


def takes(taker: str, path: str) -> bool:
    """Tell whether a path takes the URLs of another, whatever its parameters are called."""
    parts = re.split(r"(\{[^}]*\})", taker)
    pattern = "".join(re.escape(part) if part[:1] != "{" else any_value(part) for part in parts)
    return re.fullmatch(pattern, re.sub(r"\{[^}]*\}", "7", path)) is not None


def any_value(parameter: str) -> str:
    """Return the expression for what a parameter of a path takes."""
    return ".*" if parameter.endswith(":path}") else "[^/]+"


# ---- What they answer with -----------------------------------------------------------------------


def with_answer(source: Source, project: Existing) -> tuple[Source, str]:
    """Return the router with a class for the answer, which it may have or import, and its name."""
    for name in ANSWERS:
        if name not in source.bound():
            source, base = imported(source, Import("pydantic", "BaseModel"))
            return appended(source, accepted_class(name, base)), name
        if answers(source, name, project):
            return source, name
    raise NameTaken(", ".join(ANSWERS), f"{source.path} has both, for something else")


def answers(source: Source, name: str, project: Existing) -> bool:
    """Tell whether a module has a class that a task_id is enough to make."""
    if not is_bound_once(source.tree, name):
        return False
    for statement in source.tree.body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return is_answer(source, statement)
    module, _, member = meant(source, ast.Name(name)).rpartition(".")
    with suppress(CannotEdit):
        file = project.root.joinpath(*module.split(".")).with_suffix(".py")
        return file.is_file() and answers(load(file, module.rpartition(".")[0]), member, project)
    return False


def is_answer(source: Source, model: ast.ClassDef) -> bool:
    """Tell whether a class is a plain model of which nothing but a task_id must be given."""
    bases = [meant(source, base) for base in model.bases]
    if bases != ["pydantic.BaseModel"] or model.keywords or model.decorator_list:
        return False
    fields = model.body[ast.get_docstring(model) is not None :]
    declared = [field for field in fields if isinstance(field, ast.AnnAssign)]
    needed = [code_of(field) for field in declared if field.value is None]
    return len(declared) == len(fields) and needed == ["task_id: str"]

"""Routers as they are written: where their routes lie, which are there, what they answer with."""

import ast
import re
from contextlib import suppress

from bgscaffold.add_task.code import accepted_class
from bgscaffold.add_task.errors import (
    NameTakenError,
    RouteTakenError,
    UneditableFileError,
    UnsupportedRouterError,
)
from bgscaffold.add_task.source_editor import (
    Import,
    Source,
    add_import,
    append_code,
    load_source,
    resolve_name,
)
from bgscaffold.analysis.routes import (
    may_accept_post,
    paths_overlap,
    prefix_in,
    router_of,
)
from bgscaffold.analysis.syntax import (
    argument,
    decorator_calls,
    is_bound_once,
    parse_modules,
    source_of,
    string_value,
)
from bgscaffold.project.project import Project

ROUTER_CLASSES = ("fastapi.APIRouter", "fastapi.routing.APIRouter")
# What changes neither where a route lies, nor who may call it, nor what it answers; a class of routes
# mostly does something around the call, as that of the domain `documents` does.
HARMLESS_ARGUMENTS = frozenset(
    [
        *("prefix", "tags", "responses", "include_in_schema", "deprecated"),
        *("redirect_slashes", "generate_unique_id_function", "route_class"),
    ]
)
PREFIX = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)
RESPONSE_MODELS = (
    "Accepted",
    "AcceptedTask",
)  # the second where the first is something else


# ---- Where a route lies --------------------------------------------------------------------------


def router_prefix(source: Source) -> str:
    """Return the prefix of a module's router, or refuse one that only a running program knows."""
    call = router_of(source.tree)
    if call is None or not is_bound_once(source.tree, "router"):
        raise UnsupportedRouterError(
            str(source.path), "it has no router = APIRouter(), or more than one"
        )
    name = source_of(call.func).partition(".")[0]
    if resolve_name(source, call.func) not in ROUTER_CLASSES or not is_bound_once(
        source.tree, name
    ):
        raise UnsupportedRouterError(
            str(source.path), f"line {call.lineno}: no APIRouter of fastapi"
        )
    for keyword in call.keywords:
        if keyword.arg not in HARMLESS_ARGUMENTS:
            told = f"line {call.lineno}: {keyword.arg or '**'} may change what its routes do"
            raise UnsupportedRouterError(str(source.path), told)
    text = prefix_in(source.tree)
    if text is None or not PREFIX.fullmatch(text):
        told = f"line {call.lineno}: its prefix is no plain path"
        raise UnsupportedRouterError(str(source.path), told)
    return text


# ---- Which routes are there ----------------------------------------------------------------------


def require_free_route(project: Project, path: str) -> None:
    """Refuse a path that a route has already, or that one of the two would take from the other."""
    for file, tree in parse_modules(project.root, "app/*/router.py"):
        for call in decorator_calls(tree):
            written = string_value(argument(call, "path"), tree)
            there = f"{prefix_in(tree) or ''}{written}"
            if (
                written is not None
                and may_accept_post(call)
                and paths_overlap(there, path)
            ):
                raise RouteTakenError(path, f"{file}, line {call.lineno}: {there}")


# ---- What they answer with -----------------------------------------------------------------------


def ensure_response_model(source: Source, project: Project) -> tuple[Source, str]:
    """Return the router with a class for the answer, which it may have or import, and its name."""
    for name in RESPONSE_MODELS:
        if name not in source.bound():
            source, base = add_import(source, Import("pydantic", "BaseModel"))
            return append_code(source, accepted_class(name, base)), name
        if is_response_model(source, name, project):
            return source, name
    raise NameTakenError(
        ", ".join(RESPONSE_MODELS), f"{source.path} has both, for something else"
    )


def is_response_model(source: Source, name: str, project: Project) -> bool:
    """Tell whether a module has a class that a task_id is enough to make."""
    if not is_bound_once(source.tree, name):
        return False
    for statement in source.tree.body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return is_task_id_model(source, statement)
    module, _, member = resolve_name(source, ast.Name(name)).rpartition(".")
    with suppress(UneditableFileError):
        file = project.root.joinpath(*module.split(".")).with_suffix(".py")
        return file.is_file() and is_response_model(
            load_source(file, module.rpartition(".")[0]), member, project
        )
    return False


def is_task_id_model(source: Source, model: ast.ClassDef) -> bool:
    """Tell whether a class is a plain model of which nothing but a task_id must be given."""
    bases = [resolve_name(source, base) for base in model.bases]
    if bases != ["pydantic.BaseModel"] or model.keywords or model.decorator_list:
        return False
    fields = model.body[ast.get_docstring(model) is not None :]
    declared = [field for field in fields if isinstance(field, ast.AnnAssign)]
    needed = [source_of(field) for field in declared if field.value is None]
    return len(declared) == len(fields) and needed == ["task_id: str"]

"""What the code of the domains says, read without running it."""

import ast
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path


def parse_modules(root: Path, pattern: str) -> Iterator[tuple[Path, ast.Module]]:
    """Give the modules of the domains that can be read; of others their own start will complain."""
    for file in sorted(root.glob(pattern)):
        if file.is_file() and "background" not in file.relative_to(root).parts:
            try:
                with (
                    tokenize.open(file) as opened,
                    warnings.catch_warnings(action="ignore"),
                ):
                    tree = ast.parse(opened.read())
            except (
                OSError,
                SyntaxError,
                ValueError,
                LookupError,
                RecursionError,
                MemoryError,
            ):
                continue
            yield file, tree


def source_of(node: ast.AST) -> str:
    """Return what was written, more or less; '...' for what is too deeply nested for Python."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "..."


def decorator_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Give each call that decorates a function, also where it is written as a call of its result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (
                call for call in node.decorator_list if isinstance(call, ast.Call)
            )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
            yield node.func


def argument(call: ast.Call, name: str) -> ast.expr | None:
    """Return the first argument of a call, or the one that is given by this name."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == name]
    return next(iter([*call.args, *named]), None)


def string_value(expression: ast.expr | None, tree: ast.Module) -> str | None:
    """Return the text that an expression is, or that the module calls so; None for all else."""
    match expression:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if is_bound_once(tree, name):
            given = [
                getattr(s, "value", None) for s in tree.body if assigned_name(s) == name
            ]
            return string_value(given[0], ast.Module([], [])) if given else None
    return None


def assigned_name(statement: ast.stmt) -> str:
    """Return the name that a statement gives a value or a type to, '' when it is another kind."""
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id=name)])
            | ast.AnnAssign(target=ast.Name(id=name))
        ):
            return name
    return ""


def is_bound_once(tree: ast.Module, name: str) -> bool:
    """Tell whether there is one place in a module that gives something this name."""
    return sum(name in bound_names(node) for node in ast.walk(tree)) == 1


def bound_names(node: ast.AST) -> list[str]:
    """Return the names that a node itself gives to something."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case (
            ast.FunctionDef(name=name)
            | ast.AsyncFunctionDef(name=name)
            | ast.ClassDef(name=name)
        ):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.split(".")[0] for alias in names]
    return []


def parse_file(file: Path) -> ast.Module:
    """Return the code of a file; none where Python could not run it either."""
    with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        if file.is_file():
            return parse_bytes(file.read_bytes())
    return ast.Module([], [])


@cache  # a project and what it was made from have most of their files in common
def parse_bytes(code: bytes) -> ast.Module:
    """Return what a file holds as Python reads it."""
    return ast.parse(code)


@cache
def all_nodes(tree: ast.Module) -> Sequence[ast.AST]:
    """Return everything in the code of a file, in the order of `ast.walk`."""
    return list(ast.walk(tree))


def last_name(function: ast.expr) -> str:
    """Return the last part of the name by which something is called."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""

"""Reading Python files without running them."""

import ast
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

# What reading and parsing may raise, whatever is in a file.
PARSE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,  # an encoding that does not exist
    RecursionError,
    MemoryError,
)


def parse_file(file: Path) -> ast.Module:
    """Return the code of a file, and an empty module where Python could not read it."""
    with suppress(*PARSE_ERRORS):
        if file.is_file():
            with tokenize.open(file) as opened:
                return parse_text(opened.read())
    return ast.Module([], [])


@cache  # most files of a project are those that it was created with
def parse_text(text: str) -> ast.Module:
    """Return the code of a text."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(text)


@cache
def all_nodes(tree: ast.Module) -> Sequence[ast.AST]:
    """Return every node of a module, in the order of `ast.walk`."""
    return list(ast.walk(tree))


def source_of(node: ast.AST) -> str:
    """Return the source of a node, '...' where it is nested too deeply."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "..."


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield every call in a module."""
    for node in all_nodes(tree):
        if isinstance(node, ast.Call):
            yield node


def decorator_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls that decorate functions, as in `@f(x)` and `f(x)(function)`."""
    for node in all_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call):
                    yield decorator
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
            yield node.func


def argument(call: ast.Call, name: str) -> ast.expr | None:
    """Return the first argument of a call, or the one with this name."""
    if call.args:
        return call.args[0]
    return keyword_argument(call, name)


def keyword_argument(call: ast.Call, name: str) -> ast.expr | None:
    """Return the argument of a call with this name."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return None


def string_value(expression: ast.expr | None, tree: ast.Module) -> str | None:
    """Return the text of a literal or of a constant of the module, else None."""
    match expression:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if is_bound_once(tree, name):
            return constant_value(tree, name)
    return None


def constant_value(tree: ast.Module, name: str) -> str | None:
    """Return the text that a module assigns to a name."""
    for statement in tree.body:
        if assigned_name(statement) == name:
            match getattr(statement, "value", None):
                case ast.Constant(value=str(text)):
                    return text
    return None


def assigned_name(statement: ast.stmt) -> str:
    """Return the name that a statement assigns or annotates, else ''."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def is_bound_once(tree: ast.Module, name: str) -> bool:
    """Return whether one place in a module, and no other, binds this name."""
    return sum(name in bound_names(node) for node in all_nodes(tree)) == 1


def bound_names(node: ast.AST) -> list[str]:
    """Return the names that a node itself binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.split(".")[0] for alias in names]
    return []


def last_name(function: ast.expr) -> str:
    """Return the last part of the name of a called function."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""

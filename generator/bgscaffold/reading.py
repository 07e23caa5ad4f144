"""What the code of the domains says, read without running it."""

import ast
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path


def modules(root: Path, pattern: str) -> Iterator[tuple[Path, ast.Module]]:
    """Give the modules of the domains that can be read; of others their own start will complain."""
    for file in sorted(root.glob(pattern)):
        if file.is_file() and "background" not in file.relative_to(root).parts:
            try:
                with tokenize.open(file) as opened, warnings.catch_warnings(action="ignore"):
                    tree = ast.parse(opened.read())
            except (OSError, SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
                continue
            yield file, tree


def code_of(node: ast.AST) -> str:
    """Return what was written, more or less; '...' for what is too deeply nested for Python."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "..."


def decorators(tree: ast.Module) -> Iterator[ast.Call]:
    """Give each call that decorates a function, also where it is written as a call of its result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (call for call in node.decorator_list if isinstance(call, ast.Call))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
            yield node.func


def argument(call: ast.Call, name: str) -> ast.expr | None:
    """Return the first argument of a call, or the one that is given by this name."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == name]
    return next(iter([*call.args, *named]), None)


def text_of(expression: ast.expr | None, tree: ast.Module) -> str | None:
    """Return the text that an expression is, or that the module calls so; None for all else."""
    match expression:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if is_bound_once(tree, name):
            given = [getattr(s, "value", None) for s in tree.body if target_of(s) == name]
            return text_of(given[0], ast.Module([], [])) if given else None
    return None


def target_of(statement: ast.stmt) -> str:
    """Return the name that a statement gives a value or a type to, '' when it is another kind."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def is_bound_once(tree: ast.Module, name: str) -> bool:
    """Tell whether there is one place in a module that gives something this name."""
    return sum(name in names_bound(node) for node in ast.walk(tree)) == 1


def names_bound(node: ast.AST) -> list[str]:
    """Return the names that a node itself gives to something."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.split(".")[0] for alias in names]
    return []

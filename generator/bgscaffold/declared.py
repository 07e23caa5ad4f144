"""What the code of a project declares, read without running it."""

import ast
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bgscaffold.errors import TaskNeedsMore
from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.reading import code_of

OPTIONS = frozenset().union(*(record.supports for record in RECORDS.values()))


@dataclass(frozen=True)
class Wish:
    """An option that a task or a call asks for."""

    who: str
    option: str
    value: str
    where: str

    def __str__(self) -> str:
        return f"{self.who} declares {self.option}={self.value} at {self.where}"


def refuse_unsupported(folder: Path, pattern: Pattern) -> None:
    """Refuse a pattern that cannot do what the code asks for, naming each place."""
    wishes = [wish for wish in declared(folder) if wish.option not in RECORDS[pattern].supports]
    if wishes:
        raise TaskNeedsMore(f"pattern {pattern}", "; ".join(map(str, wishes)))


def declared(folder: Path) -> Iterator[Wish]:
    """Yield every option that is declared in a project's domains."""
    for package in packages(folder):
        room = package / "background"
        for file in sorted(package.rglob("*.py")):
            if not file.is_relative_to(room):
                yield from wishes_in(file, file.relative_to(folder).as_posix())


def packages(folder: Path) -> list[Path]:
    """Return the packages of a project: those with a mechanism, under whatever name, or in src/."""
    found = [*folder.glob("*/background/task.py"), *folder.glob("*/*/background/task.py")]
    return sorted(task.parents[1] for task in found)


def wishes_in(file: Path, name: str) -> Iterator[Wish]:
    """Yield the options that one file declares."""
    code = nodes(parsed(file))
    decorators = {"task", *aliases(code)}
    for node in code:
        if isinstance(node, ast.Call) and (who := asking(node, decorators)):
            for keyword in node.keywords:
                if keyword.arg in OPTIONS and not asks_nothing(keyword):
                    value = code_of(keyword.value)
                    yield Wish(who, keyword.arg, value, f"{name}:{node.lineno}")


def asks_nothing(keyword: ast.keyword) -> bool:
    """Tell whether it is `key=None`, which every pattern can do."""
    value = keyword.value
    return keyword.arg == "key" and isinstance(value, ast.Constant) and value.value is None


def aliases(code: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names that a file gives to `task` where it imports it."""
    for node in code:
        if isinstance(node, ast.ImportFrom):
            yield from (
                known.asname for known in node.names if known.name == "task" and known.asname
            )


def parsed(file: Path) -> ast.Module:
    """Return the code of a file; none where Python could not run it either."""
    with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        if file.is_file():
            return parsed_once(file.read_bytes())
    return ast.Module([], [])


@cache  # a project and what it was made from have most of their files in common
def parsed_once(code: bytes) -> ast.Module:
    """Return what a file holds as Python reads it."""
    return ast.parse(code)


@cache
def nodes(tree: ast.Module) -> Sequence[ast.AST]:
    """Return everything in the code of a file, in the order of `ast.walk`."""
    return list(ast.walk(tree))


def asking(call: ast.Call, decorators: set[str]) -> str | None:
    """Return who asks, if a call is `task("x.y", ...)` or `background_tasks.options(...)`."""
    name = last_name(call.func)
    first = call.args[0] if call.args else None
    if name in decorators and isinstance(first, ast.Constant):
        return f"task {first.value!r}"
    return "a call" if name == "options" and not call.args else None


def last_name(function: ast.expr) -> str:
    """Return the last part of the name by which something is called."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def settings(project: Path) -> list[str]:
    """Return the names of the settings that a rendered project reads from its environment."""
    return [
        field.target.id.upper()
        for file in sorted(project.glob("app/**/*.py"))
        if b"BaseSettings" in file.read_bytes()
        for node in nodes(parsed(file))
        if isinstance(node, ast.ClassDef) and "BaseSettings" in map(last_name, node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    ]

"""What the code of a project declares, read without running it."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.analysis.syntax import (
    all_nodes,
    last_name,
    parse_file,
    source_of,
)
from bgscaffold.layout import application_packages
from bgscaffold.patterns import RECORDS

OPTIONS = frozenset().union(*(record.supports for record in RECORDS.values()))


@dataclass(frozen=True)
class OptionUse:
    """An option that a task or a call asks for."""

    who: str
    option: str
    value: str
    where: str

    def __str__(self) -> str:
        return f"{self.who} declares {self.option}={self.value} at {self.where}"


def option_uses(folder: Path) -> Iterator[OptionUse]:
    """Yield every option that is declared in a project's domains."""
    for package in application_packages(folder):
        room = package / "background"
        for file in sorted(package.rglob("*.py")):
            if not file.is_relative_to(room):
                yield from option_uses_in(file, file.relative_to(folder).as_posix())


def option_uses_in(file: Path, name: str) -> Iterator[OptionUse]:
    """Yield the options that one file declares."""
    code = all_nodes(parse_file(file))
    decorators = {"task", *task_aliases(code)}
    for node in code:
        if isinstance(node, ast.Call) and (who := option_owner(node, decorators)):
            for keyword in node.keywords:
                if keyword.arg in OPTIONS and not is_absent_key(keyword):
                    value = source_of(keyword.value)
                    yield OptionUse(who, keyword.arg, value, f"{name}:{node.lineno}")


def is_absent_key(keyword: ast.keyword) -> bool:
    """Tell whether it is `key=None`, which every pattern can do."""
    value = keyword.value
    return (
        keyword.arg == "key" and isinstance(value, ast.Constant) and value.value is None
    )


def task_aliases(code: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names that a file gives to `task` where it imports it."""
    for node in code:
        if isinstance(node, ast.ImportFrom):
            yield from (
                known.asname
                for known in node.names
                if known.name == "task" and known.asname
            )


def option_owner(call: ast.Call, decorators: set[str]) -> str | None:
    """Return who asks, if a call is `task("x.y", ...)` or `background_tasks.options(...)`."""
    name = last_name(call.func)
    first = call.args[0] if call.args else None
    if name in decorators and isinstance(first, ast.Constant):
        return f"task {first.value!r}"
    return "a call" if name == "options" and not call.args else None


def setting_names(project: Path) -> list[str]:
    """Return the names of the settings that a rendered project reads from its environment."""
    return [
        field.target.id.upper()
        for file in sorted(project.glob("app/**/*.py"))
        if b"BaseSettings" in file.read_bytes()
        for node in all_nodes(parse_file(file))
        if isinstance(node, ast.ClassDef)
        and "BaseSettings" in map(last_name, node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    ]

"""What the code of a project declares: options of tasks, and settings."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.analysis.syntax import (
    all_nodes,
    calls,
    last_name,
    parse_file,
    source_of,
)
from bgscaffold.layout import application_packages
from bgscaffold.patterns import RECORDS

OPTIONS = frozenset().union(*(record.supports for record in RECORDS.values()))


@dataclass(frozen=True)
class OptionUse:
    """An option that a task or a call declares."""

    owner: str  # "task 'invoices.send'" or "a call"
    option: str
    value: str
    place: str  # "app/invoices/tasks.py:7"

    def __str__(self) -> str:
        return f"{self.owner} declares {self.option}={self.value} at {self.place}"


@dataclass(frozen=True)
class Setting:
    """A setting, and the line that declares it."""

    name: str
    file: str
    line: int


def option_uses(project: Path) -> Iterator[OptionUse]:
    """Yield every option that is declared in a project."""
    for package in application_packages(project):
        for file in sorted(package.rglob("*.py")):
            path = file.relative_to(project).as_posix()
            yield from option_uses_in(parse_file(file), path)


def option_uses_in(tree: ast.Module, path: str) -> Iterator[OptionUse]:
    """Yield the options that one file declares."""
    decorators = {"task", *task_aliases(tree)}
    for call in calls(tree):
        owner = option_owner(call, decorators)
        for keyword in call.keywords if owner else []:
            if keyword.arg in OPTIONS and not is_absent_key(keyword):
                yield OptionUse(
                    owner=owner,
                    option=str(keyword.arg),
                    value=source_of(keyword.value),
                    place=f"{path}:{call.lineno}",
                )


def is_absent_key(keyword: ast.keyword) -> bool:
    """Return whether an argument is `key=None`, which every pattern supports."""
    is_none = isinstance(keyword.value, ast.Constant) and keyword.value.value is None
    return keyword.arg == "key" and is_none


def task_aliases(tree: ast.Module) -> Iterator[str]:
    """Yield the other names under which a file imports `task`."""
    for node in all_nodes(tree):
        for alias in node.names if isinstance(node, ast.ImportFrom) else []:
            if alias.name == "task" and alias.asname:
                yield alias.asname


def option_owner(call: ast.Call, decorators: set[str]) -> str:
    """Return whose options a call declares, '' if it is another call.

    They are declared by `task("x.y", ...)` and by `background_tasks.options(...)`.
    """
    name = last_name(call.func)
    first = call.args[0] if call.args else None
    if name in decorators and isinstance(first, ast.Constant):
        return f"task {first.value!r}"
    return "a call" if name == "options" and not call.args else ""


def find_settings(project: Path) -> Iterator[Setting]:
    """Yield the settings that a project reads from its environment.

    They are those of the application, and in a render those of `afterward/` too.
    """
    for package in [*application_packages(project), project / "afterward"]:
        for file in sorted(package.rglob("*.py")):
            path = file.relative_to(project).as_posix()
            for field in settings_fields(parse_file(file)):
                yield Setting(
                    name=field_name(field),
                    file=path,
                    line=field.lineno,
                )


def settings_fields(tree: ast.Module) -> Iterator[ast.AnnAssign]:
    """Yield the fields of the classes that derive from `BaseSettings`."""
    for node in all_nodes(tree):
        if isinstance(node, ast.ClassDef):
            is_settings = "BaseSettings" in map(last_name, node.bases)
            for field in node.body if is_settings else []:
                if isinstance(field, ast.AnnAssign):
                    yield field


def field_name(field: ast.AnnAssign) -> str:
    """Return the variable that a field is read from."""
    return ast.unparse(field.target).upper()

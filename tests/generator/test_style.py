"""The style of the generator: short functions, light lines."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import helpers

FILES = sorted((helpers.ROOT / "generator").rglob("*.py"))
OWN = [file for file in FILES if "suite" not in file.parts]
MAX_DENSITY = 7.8  # AST nodes per code line
MAX_ARGUMENTS = 5  # by position, in one call

Function = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def module_name(file: Path) -> str:
    """Return a file's name below its package."""
    return "/".join(file.parts[-2:])


def parsed(file: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(file.read_text(encoding="utf-8"))


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that belong to docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines.update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return lines


def code_lines(file: Path) -> int:
    """Return how many lines are neither blank, nor a comment, nor a docstring."""
    skipped = docstring_lines(parsed(file))
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in lines
        if number not in skipped
    )


def functions() -> Iterator[tuple[str, int]]:
    """Yield every function of the generator and its length in lines."""
    for file in OWN:
        for node in ast.walk(parsed(file)):
            if isinstance(node, Function):
                length = (node.end_lineno or 0) - node.lineno + 1
                yield f"{file.name}:{node.lineno} {node.name}", length


def test_lines_are_light() -> None:
    nodes = sum(len(list(ast.walk(parsed(file)))) for file in OWN)
    assert nodes / sum(map(code_lines, OWN)) <= MAX_DENSITY


def test_functions_are_short() -> None:
    lengths = sorted(length for _name, length in functions())
    assert statistics.median(lengths) <= 8
    assert lengths[len(lengths) * 9 // 10] <= 25
    assert [name for name, length in functions() if length > 40] == []


@pytest.mark.parametrize("file", OWN, ids=module_name)
def test_a_call_has_few_arguments_by_position(file: Path) -> None:
    calls = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.Call)]
    plain = [
        call.lineno
        for call in calls
        if len(call.args) > MAX_ARGUMENTS
        and not any(isinstance(each, ast.Starred) for each in call.args)
    ]
    assert plain == []


@pytest.mark.parametrize("file", OWN, ids=module_name)
def test_nothing_is_multiplied_by_a_truth_value(file: Path) -> None:
    factor = re.compile(r" \* (bool\(|not |[\w.]*\b(is|has|can)_)")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if factor.search(line)] == []


@pytest.mark.parametrize("file", OWN, ids=module_name)
def test_lines_fit_in_88_columns(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    long = [number for number, line in enumerate(lines, 1) if len(line) > 88]
    assert [
        number for number in long if "# type: ignore" not in lines[number - 1]
    ] == []

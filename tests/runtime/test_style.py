"""Style marks of the package: short functions, few nodes on a line, few lines in all.

`docs/decisions/0020-size-of-afterward.md` says why the package has as many lines as it has.
"""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT

PACKAGE = ROOT / "template/afterward"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
MAX_CODE_LINES = 3_710
MAX_NODES_PER_LINE = 7.6
MAX_POSITIONAL = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, int]]:
    """Yield the place and the lines of every function, its docstring included."""
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                assert node.end_lineno
                place = f"{file.relative_to(PACKAGE)}:{node.lineno} {node.name}"
                yield place, node.end_lineno - node.lineno + 1


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines of docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (
            ast.get_docstring(node) is not None
        ):
            docstring = node.body[0]
            assert docstring.end_lineno
            lines |= set(range(docstring.lineno, docstring.end_lineno + 1))
    return lines


def code_lines(file: Path) -> int:
    """Return how many lines are not blank, a comment or a docstring."""
    docstrings = docstring_lines(TREES[file])
    numbered = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    stripped = ((number, line.strip()) for number, line in numbered)
    return sum(
        bool(line) and not line.startswith("#") and number not in docstrings
        for number, line in stripped
    )


def test_functions_are_short() -> None:
    lengths = sorted(length for _, length in functions())
    ninetieth = lengths[len(lengths) * 9 // 10]
    assert statistics.median(lengths) <= 8
    assert ninetieth <= 25
    assert [place for place, length in functions() if length > 40] == []


def test_lines_are_not_dense() -> None:
    nodes = sum(1 for tree in TREES.values() for _ in ast.walk(tree))
    lines = sum(map(code_lines, FILES))
    assert nodes / lines <= MAX_NODES_PER_LINE


def test_the_package_does_not_grow_unnoticed() -> None:
    assert sum(map(code_lines, FILES)) <= MAX_CODE_LINES


def is_column(argument: ast.expr) -> bool:
    """Return whether an argument is a column of a table, which has many."""
    return isinstance(argument, ast.Call) and ast.unparse(argument.func) == "sa.Column"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_a_call_has_few_positional_arguments(file: Path) -> None:
    calls = [node for node in ast.walk(TREES[file]) if isinstance(node, ast.Call)]
    long = [
        f"line {call.lineno}: {ast.unparse(call.func)}"
        for call in calls
        if sum(not is_column(argument) for argument in call.args) > MAX_POSITIONAL
    ]
    assert long == []

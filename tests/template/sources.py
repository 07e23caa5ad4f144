"""What the template holds, read from its files without rendering them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests import helpers

TEMPLATE = helpers.ROOT / "template"
OVERLAY = re.compile(r"\{\{ (for_\w+) \}\}")
UNWANTED = re.compile(r"__pycache__|\.py[co]$|\.\w+_cache|uv\.lock|\.venv")


def files() -> list[Path]:
    """Return every file of the template."""
    return sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and not unwanted(path))


def unwanted(path: Path) -> bool:
    """Tell whether a path is what tools leave behind."""
    return bool(UNWANTED.search(path.relative_to(TEMPLATE).as_posix()))


def python_files() -> list[Path]:
    """Return every Python file of the template."""
    return [path for path in files() if path.suffix == ".py"]


def name(path: Path) -> str:
    """Return a file's path inside the template, to show and to compare."""
    return path.relative_to(TEMPLATE).as_posix()


def overlays(path: Path) -> list[str]:
    """Return the overlays that a file lies in."""
    return OVERLAY.findall(name(path))


def destination(path: Path) -> str:
    """Return where a file goes in a project."""
    return re.sub(r"\{\{ for_\w+ \}\}/", "", name(path)).removesuffix(".jinja")


def laid(pattern: str, ci: str, schedule: bool = False, ai: bool = False) -> Iterator[Path]:
    """Give the files that one variant is made of."""
    on = overlays_of(pattern, ci, schedule, ai)
    return (path for path in files() if on.issuperset(overlays(path)))


@cache
def overlays_of(pattern: str, ci: str, schedule: bool, ai: bool) -> frozenset[str]:
    """Return the names of the overlays that lie over the base in one variant."""
    from jinja2.sandbox import SandboxedEnvironment

    render = SandboxedEnvironment().from_string
    computed = {k: v for k, v in helpers.questions().items() if k.startswith("for_")}
    answers = {"pattern": pattern, "ci": ci, "schedule": schedule, "ai": ai}
    values = {k: render(v["default"]).render(answers) for k, v in computed.items()}
    assert set(values.values()) <= {".", ""}
    return frozenset(overlay for overlay, value in values.items() if value)


def function_lengths(paths: list[Path]) -> dict[str, int]:
    """Return the number of lines of every function of some Python files."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        f"{path.relative_to(helpers.ROOT)}:{node.lineno} {node.name}": length(node)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds)
    }


def length(node: ast.stmt) -> int:
    """Return how many lines a statement takes."""
    assert node.end_lineno
    return node.end_lineno - node.lineno + 1


def code_lines(text: str) -> int:
    """Count lines of code: not the empty ones, the comments and the docstrings, which teach."""
    tree = ast.parse(text)
    docstrings = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, node.lineno + length(node))
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(
        1
        for number, line in lines
        if number not in docstrings and line.strip() and not line.strip().startswith("#")
    )

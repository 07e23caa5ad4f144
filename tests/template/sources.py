"""The files of the template, read without rendering them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests import helpers

TEMPLATE = helpers.ROOT / "template"
OVERLAY = re.compile(r"\{\{ (for_\w+) \}\}")
LEFTOVERS = re.compile(r"__pycache__|\.py[co]$|\.\w+_cache|uv\.lock|\.venv")


def files() -> list[Path]:
    """Return every file of the template."""
    return sorted(
        path for path in TEMPLATE.rglob("*") if path.is_file() and not is_leftover(path)
    )


def is_leftover(path: Path) -> bool:
    """Return whether a path is a cache or an environment of a tool."""
    return bool(LEFTOVERS.search(path.relative_to(TEMPLATE).as_posix()))


def python_files() -> list[Path]:
    """Return every Python file of the template."""
    return [path for path in files() if path.suffix == ".py"]


def name(path: Path) -> str:
    """Return the path of a file inside the template."""
    return path.relative_to(TEMPLATE).as_posix()


def overlays(path: Path) -> list[str]:
    """Return the overlays that a file is in."""
    return OVERLAY.findall(name(path))


def destination(path: Path) -> str:
    """Return the path of a file in a project."""
    return re.sub(r"\{\{ for_\w+ \}\}/", "", name(path)).removesuffix(".jinja")


def files_of_variant(
    pattern: str, ci: str, schedule: bool = False, ai: bool = False
) -> Iterator[Path]:
    """Yield the files that one variant is made of."""
    enabled = enabled_overlays(pattern, ci, schedule, ai)
    return (path for path in files() if enabled.issuperset(overlays(path)))


@cache
def enabled_overlays(pattern: str, ci: str, schedule: bool, ai: bool) -> frozenset[str]:
    """Return the names of the overlays of one variant."""
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
    """Return the number of lines of a statement."""
    assert node.end_lineno
    return node.end_lineno - node.lineno + 1

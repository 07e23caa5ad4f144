"""The marks that keep a project small, counted."""

import difflib
import statistics
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests import helpers
from tests.template import sources
from tests.template.conftest import Rendered

MAX_FILES = {"simple": 34, "async": 34, "safe": 34, "celery": 36}
MAX_LINES = {"simple": 1500, "async": 1500, "safe": 1600, "celery": 1700}
MAX_CONDITIONALS = 25
MAX_LINES_OF_A_PROMOTE = 200


def own_files(project: Path) -> dict[str, str]:
    """Return the files of a project that are not empty, without afterward/."""
    return {
        path: content.decode()
        for path, content in helpers.tree(project).items()
        if content and not path.startswith("afterward/")
    }


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_a_project_is_small(pattern: str, rendered: Rendered) -> None:
    files = own_files(rendered(pattern, "github"))
    assert len(files) <= MAX_FILES[pattern]
    lines = sum(len(text.splitlines()) for text in files.values())
    assert lines <= MAX_LINES[pattern]


def test_a_promote_from_simple_to_celery_is_small(rendered: Rendered) -> None:
    old, new = (own_files(rendered(each, "github")) for each in ("simple", "celery"))
    changed = {
        path: changed_lines(old.get(path, ""), new.get(path, "")) for path in old | new
    }
    assert sum(changed.values()) <= MAX_LINES_OF_A_PROMOTE
    assert {path for path, lines in changed.items() if lines} == {
        ".copier-answers.yml",
        ".env.example",
        ".github/workflows/ci.yml",
        "README.md",
        "app/background.py",
        "compose.yaml",
        "pyproject.toml",
    }


def changed_lines(old: str, new: str) -> int:
    """Return the number of lines that a change adds and removes."""
    lines = difflib.ndiff(old.splitlines(), new.splitlines())
    return sum(line.startswith(("+ ", "- ")) for line in lines)


def jinja_files() -> list[Path]:
    """Return the files of the template that Copier renders."""
    return [path for path in sources.files() if path.suffix == ".jinja"]


def parse(path: Path) -> nodes.Template:
    """Parse a file as Jinja."""
    return Environment().parse(path.read_text(encoding="utf-8"))


def depth(node: nodes.Node) -> int:
    """Return how deep conditionals are nested below a node."""
    inner = max((depth(child) for child in node.iter_child_nodes()), default=0)
    return inner + isinstance(node, (nodes.If, nodes.For))


def test_conditionals_are_flat_and_few() -> None:
    parsed = [parse(path) for path in jinja_files()]
    assert max(map(depth, parsed)) == 1
    kinds = (nodes.If, nodes.CondExpr)
    conditionals = [found for tree in parsed for found in tree.find_all(kinds)]
    assert 1 <= len(conditionals) <= MAX_CONDITIONALS


def test_there_is_no_dictionary_in_a_template() -> None:
    parsed = {sources.name(path): parse(path) for path in jinja_files()}
    assert [name for name, tree in parsed.items() if tree.find(nodes.Dict)] == []


@pytest.mark.parametrize("tree", ["generator", "template"])
def test_functions_are_short(tree: str) -> None:
    generator = sorted((helpers.ROOT / "generator").rglob("*.py"))
    files = generator if tree == "generator" else sources.python_files()
    lengths = sources.function_lengths(files)
    assert [name for name, lines in lengths.items() if lines > 40] == []
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= 25
    assert statistics.median(lengths.values()) <= 8

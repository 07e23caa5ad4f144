"""The rules that keep the template readable, and every path from exactly one source."""

import ast
import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from jinja2 import nodes

from tests import helpers
from tests.template import sources
from tests.template.test_marks import jinja_files, parse

# With these names they would configure this repository, too.
NEED_SUFFIX = {".gitattributes", ".gitignore", "pyproject.toml"}
COPIER_SETTINGS = {
    "_min_copier_version",
    "_subdirectory",
    "_templates_suffix",
    "_envops",
    "_exclude",
    "_skip_if_exists",
    "_message_after_copy",
}


def test_there_is_no_jinja_in_python() -> None:
    assert [path for path in jinja_files() if path.stem.endswith(".py")] == []
    with_jinja = [
        sources.name(path)
        for path in sources.python_files()
        if not sources.name(path).startswith("afterward/")  # an f-string may have {{
        and re.search(r"\{\{|\{%|\{#", path.read_text(encoding="utf-8"))
    ]
    assert with_jinja == []


def test_no_conftest_imports_the_application() -> None:
    """Pytest loads a conftest before the plugin has set the environment of tests.

    The application would then read the user's own `.env`, and use its database.
    """
    conftests = [path for path in sources.files() if path.name == "conftest.py"]
    assert conftests
    imported = [
        (sources.name(path), node.module)
        for path in conftests
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("app.")
    ]
    assert imported == []


def test_answers_are_written_as_json() -> None:
    questions = {"project_name", "pattern", "ci", "schedule", "ai"}
    bare = [
        f"{sources.name(path)}:{written.lineno}"
        for path in jinja_files()
        if ".md" not in path.suffixes
        for output in parse(path).find_all(nodes.Output)
        for written in output.nodes
        if isinstance(written, nodes.Name) and written.name in questions
    ]
    assert bare == []


def test_only_files_with_jinja_have_the_suffix() -> None:
    plain = [
        path for path in jinja_files() if not re.search(r"\{[{%]", path.read_text())
    ]
    assert {sources.destination(path).split("/")[-1] for path in plain} <= NEED_SUFFIX


def test_files_that_configure_tools_have_the_suffix() -> None:
    assert [path for path in sources.files() if path.name in NEED_SUFFIX] == []


def test_file_names_work_on_every_system() -> None:
    names = [sources.name(path) for path in sources.files()]
    assert [name for name in names if re.search(r'["|<>:?*\\]', name)] == []


def test_file_names_have_no_condition_but_overlays() -> None:
    known = re.compile(r"\{\{ (for_\w+|_copier_conf\.answers_file) \}\}")
    rest = [known.sub("", sources.name(path)) for path in sources.files()]
    assert [name for name in rest if "{" in name] == []


def test_every_overlay_is_computed() -> None:
    used = {overlay for path in sources.files() for overlay in sources.overlays(path)}
    computed = {k: v for k, v in helpers.questions().items() if k.startswith("for_")}
    assert used <= set(computed)
    assert all(question["when"] is False for question in computed.values())


@pytest.mark.parametrize(
    ("pattern", "ci", "schedule", "ai"),
    [*product(helpers.PATTERNS, helpers.CIS, [False, True], [False, True])],
)
def test_every_path_has_one_source(
    pattern: str, ci: str, schedule: bool, ai: bool
) -> None:
    files = sources.files_of_variant(pattern, ci, schedule, ai)
    count = Counter(map(sources.destination, files))
    assert [path for path, number in count.items() if number > 1] == []


def test_overlays_only_add_files() -> None:
    base = {sources.destination(p) for p in sources.files() if not sources.overlays(p)}
    added = {sources.destination(p) for p in sources.files() if sources.overlays(p)}
    assert base & added == set()


def test_copier_never_asks_for_trust() -> None:
    questions = helpers.questions()
    assert {key for key in questions if key.startswith("_")} == COPIER_SETTINGS
    assert questions["_envops"]["undefined"] == "jinja2.StrictUndefined"


def test_the_questions_fit_on_a_screen() -> None:
    questions = helpers.questions().items()
    asked = [k for k, v in questions if k[0] != "_" and v.get("when") is not False]
    assert asked == ["project_name", "pattern", "ci", "schedule", "ai"]
    text = (helpers.ROOT / "copier.yml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 75
    assert max(map(len, text.splitlines())) <= 120


def documented_files() -> list[Path]:
    """Return the Python files whose docstrings are read by people."""
    return [
        *sorted((helpers.ROOT / "generator").rglob("*.py")),
        *sources.python_files(),
    ]


@pytest.mark.parametrize("path", documented_files(), ids=str)
def test_docstrings_begin_with_a_sentence(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    first = [(ast.get_docstring(node) or "None.").split("\n")[0] for node in nodes]
    assert [line for line in first if not re.search(r"[.!?:]$|\w$", line)] == []

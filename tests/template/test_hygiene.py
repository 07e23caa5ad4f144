"""The rules that keep the template readable and every path from exactly one source."""

import ast
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests import helpers
from tests.template import sources

CODE_LINES_THAT_VARY = {"simple": 250, "async": 300, "safe": 778, "celery": 1051}
CODE_LINES_OF_THE_DOOR = 250
CODE_LINES_OF_THE_SCHEDULE = {False: 30, True: 150}  # without schedules: what stands in for them
SCHEDULE = {"cron.py", "periods.py", "schedule.py", "beat.py"}
DOOR = {"__init__.py", "door.py", "task.py"}  # the same in all: promote leaves them alone
LIVE_AT_THE_ROOT = {".gitignore", "pyproject.toml", "conftest.py"}
COPIER_SETTINGS = {
    "_min_copier_version",
    "_subdirectory",
    "_templates_suffix",
    "_envops",
    "_exclude",
    "_skip_if_exists",
    "_message_after_copy",
}


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


def test_there_is_no_jinja_in_python() -> None:
    named_apart = [path for path in sources.files() if path.name == "conftest.py.jinja"]
    assert [path for path in jinja_files() if path.stem.endswith(".py")] == named_apart
    assert not [
        sources.name(path)
        for path in (*sources.python_files(), *named_apart)
        if re.search(r"\{\{|\{%|\{#", path.read_text(encoding="utf-8"))
    ]


def test_no_fixtures_import_the_application_before_its_settings_are_those_of_tests() -> None:
    """Pytest loads the conftest of a folder that is named before it sets up anything.

    The application would read the user's own `.env`, and tests would empty his database.
    """
    conftests = [path for path in sources.files() if path.name.startswith("conftest.py")]
    assert len(conftests) > 1
    imported = [
        (sources.name(path), node.module)
        for path in conftests
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("app.")
    ]
    assert imported == []


def test_conditionals_are_flat_and_few() -> None:
    parsed = [parse(path) for path in jinja_files()]
    assert max(map(depth, parsed)) <= 1
    conditionals = [found for tree in parsed for found in tree.find_all((nodes.If, nodes.CondExpr))]
    assert len(conditionals) <= 25


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
    assert not bare


def test_only_files_with_jinja_carry_the_suffix() -> None:
    plain = [path for path in jinja_files() if not re.search(r"\{[{%]", path.read_text())]
    assert {sources.destination(path).split("/")[-1] for path in plain} <= LIVE_AT_THE_ROOT


def test_file_names_work_on_every_system() -> None:
    assert not [
        name for name in map(sources.name, sources.files()) if re.search(r'["|<>:?*\\]', name)
    ]


def test_what_is_live_at_the_root_carries_the_suffix() -> None:
    assert not [path for path in sources.files() if path.name in LIVE_AT_THE_ROOT]


def test_file_names_hold_no_condition_but_overlays() -> None:
    known = re.compile(r"\{\{ (for_\w+|_copier_conf\.answers_file) \}\}")
    rest = [known.sub("", sources.name(path)) for path in sources.files()]
    assert not [name for name in rest if "{" in name]


def test_every_overlay_is_computed() -> None:
    used = {overlay for path in sources.files() for overlay in sources.overlays(path)}
    computed = {k: v for k, v in helpers.questions().items() if k.startswith("for_")}
    assert used <= set(computed)
    assert all(question["when"] is False for question in computed.values())


@pytest.mark.parametrize(
    ("pattern", "ci", "schedule", "ai"),
    [*product(helpers.PATTERNS, helpers.CIS, [False, True], [False, True])],
)
def test_every_path_has_one_source(pattern: str, ci: str, schedule: bool, ai: bool) -> None:
    count = Counter(map(sources.destination, sources.laid(pattern, ci, schedule, ai)))
    assert not [path for path, number in count.items() if number > 1]


def test_overlays_only_add_files() -> None:
    base = {sources.destination(path) for path in sources.files() if not sources.overlays(path)}
    laid = {sources.destination(path) for path in sources.files() if sources.overlays(path)}
    assert not base & laid


def test_copier_never_asks_for_trust() -> None:
    questions = helpers.questions()
    assert {key for key in questions if key.startswith("_")} == COPIER_SETTINGS
    assert questions["_envops"]["undefined"] == "jinja2.StrictUndefined"


def test_the_questions_fit_on_a_screen() -> None:
    asked = [
        k for k, v in helpers.questions().items() if k[0] != "_" and v.get("when") is not False
    ]
    assert asked == ["project_name", "pattern", "ci", "schedule", "ai"]
    text = (helpers.ROOT / "copier.yml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 75
    assert max(map(len, text.splitlines())) <= 120


def room(pattern: str, schedule: bool) -> dict[str, str]:
    """Return the files of the mechanism room in one variant."""
    return {
        sources.name(path): path.read_text(encoding="utf-8")
        for path in sources.laid(pattern, "none", schedule)
        if sources.destination(path).startswith("app/background/")
    }


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_the_room_is_small(pattern: str, schedule: bool) -> None:
    files = room(pattern, schedule)
    assert "app/background/task.py" in files
    assert not [name for name, text in files.items() if len(text.splitlines()) > 200]
    wide = [line for text in files.values() for line in text.splitlines() if len(line) > 100]
    assert not wide
    lines = {name.split("/")[-1]: sources.code_lines(text) for name, text in files.items()}
    assert lines.keys() > DOOR
    assert sum(lines[name] for name in DOOR) <= CODE_LINES_OF_THE_DOOR
    scheduling = sum(lines[name] for name in SCHEDULE & lines.keys())
    assert scheduling <= CODE_LINES_OF_THE_SCHEDULE[schedule]
    varying = lines.keys() - DOOR - SCHEDULE
    assert sum(lines[name] for name in varying) <= CODE_LINES_THAT_VARY[pattern]


@pytest.mark.parametrize("tree", ["generator", "template"])
def test_functions_are_short(tree: str) -> None:
    files = sources.python_files() if tree == "template" else generator_files()
    lengths = sources.function_lengths(files)
    assert not [function for function, lines in lengths.items() if lines > 40]
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= 25
    assert statistics.median(lengths.values()) <= 8


def generator_files() -> list[Path]:
    """Return the modules of the generator."""
    return sorted((helpers.ROOT / "generator").rglob("*.py"))


@pytest.mark.parametrize("path", [*generator_files(), *sources.python_files()], ids=str)
def test_docstrings_begin_with_a_sentence(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    first = [(ast.get_docstring(node) or "Nothing.").split("\n")[0] for node in documented]
    assert not [line for line in first if not re.search(r"[.!?:]$|\w$", line)]


FORBIDDEN = {
    "celery",
    "kombu",
    "asyncio",
    "concurrent",
    "threading",
    "multiprocessing",
    "starlette",
}
HOUSE = {"app", "app.background", "app.database", "app.refusals", "app.settings"}
NEIGHBOURS = {
    "chat": ("app.documents",),
    "orphans": ("app.documents",),
    "page": ("app.documents",),
}  # what a domain takes from others


def rooms() -> list[Path]:
    """Return the Python files of the user's rooms: every domain of the example project."""
    domain = re.compile(r"app/(?!background/|migrations/)\w+/\w+\.py")
    paths = sources.python_files()
    return [path for path in paths if domain.fullmatch(sources.destination(path))]


def imports(path: Path) -> Iterator[str]:
    """Give the full name of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_these_are_the_rooms_of_the_user() -> None:
    known = {"actions", "chat", "cleaning", "documents", "orphans", "page", "signup"}
    assert {path.parent.name for path in rooms()} == known


@pytest.mark.parametrize("path", rooms(), ids=sources.name)
def test_the_users_rooms_know_only_the_door(path: Path) -> None:
    for imported in imports(path):
        package = imported.split(".")[0]
        assert package not in FORBIDDEN, imported
        assert imported.split(".")[-1] not in {"BackgroundTasks", "BackgroundTask"}, imported
        if package == "app":
            own = ("app." + path.parent.name, *NEIGHBOURS.get(path.parent.name, ()))
            assert imported.rsplit(".", 1)[0] in HOUSE or imported.startswith(own), imported
    assert "background=" not in path.read_text(encoding="utf-8")


def test_the_app_imports_the_room_only_through_its_door() -> None:
    outside = [
        path
        for path in sources.python_files()
        if sources.destination(path).startswith("app/") and "/background/" not in sources.name(path)
    ]
    deep = {
        f"{sources.name(path)}: {imported}"
        for path in outside
        for imported in imports(path)
        if imported.startswith("app.background.") and imported.count(".") > 2
    }
    assert not deep

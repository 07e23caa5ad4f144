"""Imports: the layers of the package, no cycles, nothing heavy and no side effects."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from afterward.requirements import REQUIREMENTS
from tests.helpers import ROOT

PACKAGE = ROOT / "template/afterward"
# A module imports its own layer and those above it in this list, inside functions too.
LAYERS = (
    {"errors"},
    {"requirements", "settings", "database", "progress"},
    {"tasks", "schedule.cron", "observability.metrics"},  # `tasks` checks `cron=`
    {"backend", "observability", "observability.attempts", "observability.logs"},
    {"schema", "outbox", "outbox.models"},
    {"outbox.claims", "outbox.insert", "outbox.migrations"},
    {"outbox.maintenance", "outbox.results", "outbox.queries", "outbox.revision"},
    {"outbox.wakeups", "outbox.heartbeat"},
    {"runner", "runner.execute", "runner.runner", "enqueue", "discovery"},
    {"schedule", "schedule.periods", "schedule.in_process", "schedule.beat"},
    {"web", "web.admin", "web.errors", "web.health", "web.tasks_api"},
    {
        *("workers.embedded_broker", "workers.redis_broker"),
        *("workers", "workers.transports", "workers.app", "workers.shutdown"),
        *("workers.execute", "workers.publisher", "workers.setup"),
    },
    {"backends", "backends.in_process"},
    {
        *("backends.simple", "backends.async_", "backends.safe", "backends.celery_"),
    },
    {"background"},
    {""},  # afterward/__init__.py
    {"dev"},
    {"testing", "testing.database", "testing.server", "cli"},
    {"__main__"},
)
HEAVY = (
    *("sqlalchemy", "alembic", "aiosqlite", "celery", "kombu", "billiard"),
    *("apscheduler", "cronsim", "prometheus_client", "pythonjsonlogger", "uvicorn"),
)
LIGHT_MODULES = (
    *("afterward", "afterward.tasks", "afterward.enqueue", "afterward.errors"),
    *("afterward.web.health", "afterward.web.errors", "afterward.background"),
    *("afterward.backends.simple", "afterward.backends.async_"),
)


def name_of(file: Path) -> str:
    """Return the name of a module within the package; '' is the package itself."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full names that a module imports, but not those for types only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node)


def module_of(name: str) -> str:
    """Return the module that an imported name is, or that it is a member of."""
    within = name.removeprefix("afterward").removeprefix(".")
    return within if within in MODULES else within.rpartition(".")[0]


@cache
def graph() -> dict[str, set[str]]:
    """Return which modules of the package each module imports."""
    found = {}
    for name, file in MODULES.items():
        names = imported(ast.parse(file.read_text(encoding="utf-8")))
        own = {module_of(each) for each in names if each.startswith("afterward")}
        found[name] = own - {name}
    return found


def test_no_import_cycle() -> None:
    assert list(TopologicalSorter(graph()).static_order())


def test_every_module_has_a_layer() -> None:
    assert sorted(name for layer in LAYERS for name in layer) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_its_own_layer_and_lower_ones(module: str) -> None:
    levels = {name: level for level, layer in enumerate(LAYERS) for name in layer}
    higher = [name for name in graph()[module] if levels[name] > levels[module]]
    assert higher == []


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_imported_from_an_application(module: str) -> None:
    names = imported(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    assert [name for name in names if name.partition(".")[0] in ("app", "tests")] == []


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process that finds afterward."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "template"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


BLOCK = """
import sys
sys.modules |= dict.fromkeys({blocked!r})  # as if they were not installed
"""


def test_the_light_modules_need_no_heavy_package(tmp_path: Path) -> None:
    code = BLOCK.format(blocked=HEAVY) + "\n".join(
        f"import {module}" for module in LIGHT_MODULES
    )
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


EFFECTS = """
import importlib, json, logging, os, pathlib, sys, tempfile, threading
before = dict(os.environ)
for module in {modules!r}:
    importlib.import_module(module)
handlers = [type(h).__name__ for h in logging.root.handlers]
handlers += [
    f"{{name}}: {{type(handler).__name__}}"
    for name, logger in logging.root.manager.loggerDict.items()
    for handler in getattr(logger, "handlers", ())
    if type(handler) is not logging.NullHandler and name.startswith("afterward")
]
print(json.dumps({{
    "environment": {{k: v for k, v in os.environ.items() if before.get(k) != v}},
    "files": [str(p) for p in pathlib.Path().rglob("*")],
    "threads": [thread.name for thread in threading.enumerate()],
    "handlers": handlers,
}}))
"""


def test_importing_every_module_has_no_side_effect(tmp_path: Path) -> None:
    modules = [f"afterward.{name}" if name else "afterward" for name in MODULES]
    modules.remove("afterward.__main__")  # it runs the command line
    (tmp_path / "tmp").mkdir()
    code = f"import os; os.environ['TMPDIR'] = 'tmp'\n{EFFECTS.format(modules=modules)}"
    done = run(code, tmp_path)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "environment": {},
        "files": ["tmp"],
        "threads": ["MainThread"],
        "handlers": [],
    }


APPLICATION = """
from afterward import Background, StartupError
try:
    from afterward.backends.{module} import {name}
    Background({name}(){database})
except StartupError as error:
    print(error)
"""
BACKENDS = {
    "simple": ("simple", "Simple"),
    "async": ("async_", "Async"),
    "safe": ("safe", "Safe"),
    "celery": ("celery_", "Celery"),
}
LATE_BASE = ("prometheus_client", "pythonjsonlogger")  # the others are imported at once


@pytest.mark.parametrize(
    ("pattern", "module"),
    [
        (pattern, module)
        for pattern in BACKENDS
        for module in (REQUIREMENTS[pattern] or LATE_BASE)
    ],
)
def test_a_missing_package_is_named(pattern: str, module: str, tmp_path: Path) -> None:
    name, class_name = BACKENDS[pattern]
    database = ", engine=lambda: None" if pattern in ("safe", "celery") else ""
    application = APPLICATION.format(module=name, name=class_name, database=database)
    done = run(BLOCK.format(blocked=(module,)) + application, tmp_path)
    package = (REQUIREMENTS["base"] | REQUIREMENTS[pattern])[module]
    assert (done.stdout, done.stderr) == (
        f"Pattern {pattern} needs {package}, which is not installed. Run: uv sync\n",
        "",
    )


@pytest.mark.parametrize(
    "module", [module for module in REQUIREMENTS["base"] if module not in LATE_BASE]
)
def test_a_missing_package_that_everything_needs_is_named(
    module: str, tmp_path: Path
) -> None:
    done = run(f"{BLOCK.format(blocked=(module,))}import afterward", tmp_path)
    package = REQUIREMENTS["base"][module]
    message = f"afterward needs {package}, which is not installed. Run: uv sync\n"
    assert done.stderr.splitlines()[-1] + "\n" == (
        f"afterward.errors.StartupError: {message}"
    )


def test_a_schedule_without_its_packages_names_the_remedy(tmp_path: Path) -> None:
    code = """
from afterward import StartupError, task
try:
    @task("test.run", cron="* * * * *")
    def run(): ...
except StartupError as error:
    print(error)
"""
    done = run(BLOCK.format(blocked=("cronsim",)) + code, tmp_path)
    message = (
        "Task 'test.run' declares cron= and needs cronsim, which is not installed."
        " Run: bgscaffold update --with-schedule\n"
    )
    assert (done.stdout, done.stderr) == (message, "")

"""The packages of the generator: who may import whom."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests import helpers

PACKAGE = helpers.ROOT / "generator/bgscaffold"
LAYERS = (
    {"", "errors", "patterns", "features", "layout"},
    {"system"},
    {"git"},
    {"template", "project", "analysis"},
    {"new", "add_task", "upgrade", "doctor", "verify"},
    {"cli"},
    {"__main__"},
)
COMMANDS = LAYERS[4]


def modules() -> dict[str, Path]:
    """Return every module of the generator, named within its package."""
    files = PACKAGE.rglob("*.py")
    return {named(file.relative_to(PACKAGE)): file for file in files}


def named(file: Path) -> str:
    """Return the dotted name of a module within the package; '' is the package itself."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path) -> Iterator[str]:
    """Yield the full names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def graph() -> dict[str, set[str]]:
    """Return the modules of the generator that each of them imports."""
    known = modules()
    return {
        name: {module_of(each, known) for each in imported(file) if is_own(each)}
        - {name}
        for name, file in known.items()
    }


def is_own(name: str) -> bool:
    """Return whether an imported name belongs to the generator."""
    return name.partition(".")[0] == "bgscaffold"


def module_of(name: str, known: dict[str, Path]) -> str:
    """Return the module that an imported name is, or that it is a member of."""
    within = name.removeprefix("bgscaffold").removeprefix(".")
    return within if within in known else within.rpartition(".")[0]


def package_of(module: str) -> str:
    """Return the package of a module, or the module itself at the top."""
    return module.partition(".")[0]


def layer_of(module: str) -> int:
    """Return the number of the layer that a module belongs to."""
    return next(n for n, layer in enumerate(LAYERS) if package_of(module) in layer)


IMPORTS = [
    (name, each) for name, others in sorted(graph().items()) for each in sorted(others)
]


def test_modules_do_not_import_one_another_in_a_circle() -> None:
    assert list(TopologicalSorter(graph()).static_order())


def test_packages_do_not_import_one_another_in_a_circle() -> None:
    packages: dict[str, set[str]] = {}
    for name, each in IMPORTS:
        if package_of(name) != package_of(each):
            packages.setdefault(package_of(name), set()).add(package_of(each))
    assert list(TopologicalSorter(packages).static_order())


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_only_its_own_layer_and_those_below(module: str) -> None:
    above = [each for each in graph()[module] if layer_of(each) > layer_of(module)]
    assert above == []


def test_commands_do_not_import_one_another() -> None:
    commands = [
        (a, b) for a, b in IMPORTS if {package_of(a), package_of(b)} <= COMMANDS
    ]
    assert [(a, b) for a, b in commands if package_of(a) != package_of(b)] == []


def test_only_render_imports_copier() -> None:
    names = {
        name
        for name, file in modules().items()
        for each in imported(file)
        if is_copier(each)
    }
    assert names == {"template.render"}


def is_copier(name: str) -> bool:
    """Return whether an imported name belongs to Copier."""
    return name.partition(".")[0] == "copier"


def test_the_probe_imports_nothing_of_bgscaffold() -> None:
    assert graph()["doctor.probe"] == set()

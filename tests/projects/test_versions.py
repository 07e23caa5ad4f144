"""The versions that a project allows: the lowest, the newest, and nothing that it does not declare."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests import helpers
from tests.projects import environments
from tests.projects.environments import EVERYTHING, Environment

Render = Callable[..., Path]
LOADED = (
    "import app.main, sys, importlib.util as u; print(sys.version_info[:2], u.find_spec('celery'))"
)


VERSIONS = (
    "import json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in NAMES}))"
)


@pytest.mark.parametrize(
    ("pattern", "schedule"),
    [*((pattern, False) for pattern in helpers.PATTERNS), ("simple", True), ("celery", True)],
)
def test_it_imports_with_what_it_declares(
    pattern: str, schedule: bool, rendered: Render, bare: Environment
) -> None:
    project = rendered(pattern, schedule=schedule)
    bare.uv(project, "sync", "--no-dev")
    said = bare.run(project, "--no-sync", "python", "-c", LOADED, ENVIRONMENT="development")
    assert ("None" in said) is (pattern != "celery")


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_its_own_tests_pass_with_the_lowest_versions(
    pattern: str, rendered: Render, lowest: Environment
) -> None:
    lowest.assert_every_test_passes(rendered(pattern, schedule=True))  # which needs the most


def test_the_lowest_versions_are_the_declared_ones(rendered: Render, lowest: Environment) -> None:
    project = rendered("celery", **EVERYTHING)
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lower = {}
    for requirement in map(Requirement, declared["dependencies"]):
        [bound] = [part for part in requirement.specifier if part.operator == ">="]
        lower[requirement.name] = Version(bound.version)
    said = lowest.run(project, "python", "-c", VERSIONS.replace("NAMES", str(list(lower))))
    assert {name: Version(version) for name, version in json.loads(said).items()} == lower


def test_its_own_tests_pass_on_the_newest_python(rendered: Render, cache: Path) -> None:
    python = environments.newest_python(cache)
    if python is None:
        pytest.skip("not installed: a Python newer than this one")
    project = rendered("celery", schedule=True)
    environments.shared(cache, "highest", python).assert_every_test_passes(project)

"""The versions that a project allows: the lowest, the newest, and declared ones only."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests import helpers
from tests.projects import environments
from tests.projects.environments import (
    EVERYTHING,
    Environment,
    Installation,
    InstalledEnvironment,
)

Render = Callable[..., Path]
IMPORT = (
    "import app.main, importlib.util;"
    "print('celery' if importlib.util.find_spec('celery') else 'no celery')"
)
VERSIONS = (
    "import json, importlib.metadata as m;"
    "print(json.dumps({n: m.version(n) for n in NAMES}))"
)


@pytest.mark.parametrize(
    ("pattern", "features"),
    [
        ("simple", {}),
        ("safe", {"schedule": True}),
        ("celery", {}),
        ("async", {"ai": True}),
    ],
)
def test_it_imports_without_the_packages_of_developers(
    pattern: str, features: dict[str, bool], rendered: Render, bare: Environment
) -> None:
    project = rendered(pattern, **features)
    bare.uv(project, "sync", "--no-dev")
    command = ("--no-sync", "python", "-c", IMPORT)
    output = bare.run(project, *command, ENVIRONMENT="development")
    assert output.splitlines()[-1] == ("celery" if pattern == "celery" else "no celery")


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_its_own_tests_pass_with_the_lowest_versions(
    pattern: str, rendered: Render, lowest: InstalledEnvironment
) -> None:
    lowest.assert_every_test_passes(rendered(pattern, **EVERYTHING))


def test_the_lowest_versions_are_the_declared_ones(
    rendered: Render, lowest: InstalledEnvironment
) -> None:
    project = rendered("celery", **EVERYTHING)
    content = tomllib.loads(environments.read_pyproject(project))
    lower = {}
    for requirement in map(Requirement, content["project"]["dependencies"]):
        [bound] = [part for part in requirement.specifier if part.operator == ">="]
        lower[requirement.name] = Version(bound.version)
    script = VERSIONS.replace("NAMES", str(list(lower)))
    output = lowest.run(project, "python", "-c", script)
    found = {name: Version(version) for name, version in json.loads(output).items()}
    assert found == lower


def test_its_own_tests_pass_on_the_newest_python(rendered: Render, cache: Path) -> None:
    python = environments.newest_python(cache)
    if python is None:
        pytest.skip("not installed: a Python newer than this one")
    environment = InstalledEnvironment(cache, Installation(python=python))
    environment.assert_every_test_passes(rendered("celery", schedule=True))

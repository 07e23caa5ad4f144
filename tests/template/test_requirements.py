"""pyproject.toml declares what the backends need, and no project has the name of it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from afterward.requirements import REQUIREMENTS
from bgscaffold.project.spec import DEPENDENCIES
from tests import helpers
from tests.template.conftest import Rendered

each_pattern = pytest.mark.parametrize("pattern", helpers.PATTERNS)


def pyproject(project: Path) -> dict[str, Any]:
    """Return the content of pyproject.toml."""
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))


def declared(project: Path) -> dict[str, Requirement]:
    """Return the dependencies of a project by name."""
    lines = pyproject(project)["project"]["dependencies"]
    return {Requirement(line).name: Requirement(line) for line in lines}


def needed(*features: str) -> dict[str, set[str]]:
    """Return the packages that backends and features need, with their extras."""
    packages = [
        Requirement(package)
        for feature in features
        for package in REQUIREMENTS[feature].values()
    ]
    return {package.name: package.extras for package in packages}


@pytest.mark.parametrize("schedule", [False, True])
@each_pattern
def test_the_packages_of_the_backend_are_declared_and_no_others(
    pattern: str, schedule: bool, rendered: Rendered
) -> None:
    found = declared(rendered(pattern, schedule=schedule))
    features = ["base", pattern, *(["schedule"] if schedule else [])]
    wanted = needed(*features)
    missing = [
        name
        for name, extras in wanted.items()
        if name not in found or not extras <= found[name].extras
    ]
    assert missing == []
    # app/database.py is in all patterns, and needs what safe needs.
    others = needed(*REQUIREMENTS).keys() - wanted.keys() - needed("safe").keys()
    assert others & found.keys() == set()


def test_no_project_has_the_name_of_a_dependency(rendered: Rendered) -> None:
    content = pyproject(rendered("celery", schedule=True, ai=True))
    lines = content["project"]["dependencies"] + content["dependency-groups"]["dev"]
    names = {Requirement(line).name for line in lines}
    assert "fastapi" in names
    assert names <= set(DEPENDENCIES.split())
    validator = helpers.questions()["project_name"]["validator"]
    assert set(DEPENDENCIES.split()) <= set(re.findall(r"[\w-]+", validator))

"""Fixtures of the tests that run generated projects."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import helpers
from tests.projects import environments
from tests.projects.environments import Environment


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of this test session share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "environments"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def newest(cache: Path) -> Environment:
    """Return an environment with the newest versions of everything."""
    return environments.shared(cache, "highest")


@pytest.fixture(scope="session")
def lowest(cache: Path) -> Environment:
    """Return an environment with the lowest versions that projects allow."""
    return environments.shared(cache, "lowest-direct")


@pytest.fixture
def bare(cache: Path) -> Environment:
    """Return this machine's environment, in which a project installs what it needs."""
    return environments.bare(cache)


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[..., Path]:
    """Return how a test gets a project of its own."""

    def render(pattern: str, ci: str = "github", **answers: bool) -> Path:
        return helpers.render(pattern, ci, tmp_path / ci / f"my-{pattern}", **answers)

    return render

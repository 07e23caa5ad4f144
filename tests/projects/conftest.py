"""Fixtures of the tests that run generated projects."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests import helpers
from tests.projects.environments import (
    Environment,
    Installation,
    InstalledEnvironment,
)

Render = Callable[..., Path]
collect_ignore = ["inside"]  # these tests run inside a generated project


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of this test session share."""
    own = tmp_path_factory.getbasetemp()
    parent = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = parent / "environments"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def newest(cache: Path) -> InstalledEnvironment:
    """Return environments with the newest versions of everything."""
    return InstalledEnvironment(cache, Installation())


@pytest.fixture(scope="session")
def lowest(cache: Path) -> InstalledEnvironment:
    """Return environments with the lowest versions that projects allow."""
    return InstalledEnvironment(cache, Installation("lowest-direct"))


@pytest.fixture
def bare(cache: Path) -> Environment:
    """Return this machine's environment, in which uv installs what a project needs."""
    return Environment(cache)


@pytest.fixture
def rendered(tmp_path: Path, cache: Path) -> Render:
    """Return a function that renders a project for one test."""

    def render(pattern: str, ci: str = "github", **features: bool) -> Path:
        name = "-".join([pattern, ci, *(f for f, on in features.items() if on)])
        original = cache / "rendered" / name
        with FileLock(cache / f"{name}.lock"):
            if not original.exists():
                part = original.with_suffix(".part")
                helpers.render(pattern, ci, part, project_name="shop", **features)
                part.rename(original)
        return shutil.copytree(original, tmp_path / ci / f"my-{pattern}")

    return render

"""Fixtures for every suite."""

from pathlib import Path

import pytest

from tests import helpers


@pytest.fixture(scope="session")
def template_repo() -> Path:
    """Give the git repository that tests render from: the working tree's template, tagged."""
    return helpers.template_repo()

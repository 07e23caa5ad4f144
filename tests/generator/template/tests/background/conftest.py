"""Fixtures of the tests of the mechanism."""

import pytest


@pytest.fixture
def patience() -> float:
    """Return how long a test waits."""
    return 10.0

"""Fixtures of the tests of the backend."""

import pytest


@pytest.fixture
def timeout() -> float:
    """Return how long a test waits."""
    return 10.0

"""Fixtures for all tests. `afterward/testing/__init__.py` describes what it adds."""

pytest_plugins = ["afterward.testing"]

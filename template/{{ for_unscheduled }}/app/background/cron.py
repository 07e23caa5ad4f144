"""Cron expressions: this project was made without schedules, so the start refuses them."""

from collections.abc import Mapping
from inspect import Signature
from typing import Any

SUPPORTED: frozenset[str] = frozenset()


def check(name: str, signature: Signature, options: Mapping[str, Any]) -> None:
    """Leave it to the start, which knows every task."""

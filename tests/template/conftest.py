"""Projects rendered by plain Copier, once for each variant."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests import helpers

Rendered = Callable[..., Path]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return a function that returns the folder of a variant."""

    @cache
    def render(
        pattern: str, ci: str = "none", schedule: bool = False, ai: bool = False
    ) -> Path:
        folder = tmp_path_factory.mktemp(f"{pattern}-{ci}") / "shop"
        return helpers.render(pattern, ci, folder, schedule=schedule, ai=ai)

    return render

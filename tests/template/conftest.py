"""Projects rendered by plain Copier, once for each variant and test session."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from tests import helpers

Rendered = Callable[..., Path]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return a function that returns the folder of a variant, for reading only."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    @cache
    def render(
        pattern: str, ci: str = "none", schedule: bool = False, ai: bool = False
    ) -> Path:
        home = shared / f"variant-{pattern}-{ci}-{schedule}-{ai}"
        with FileLock(f"{home}.lock"):
            if not home.exists():
                folder = home.with_suffix(".part") / "shop"
                helpers.render(pattern, ci, folder, schedule=schedule, ai=ai)
                folder.parent.rename(home)
        return home / "shop"

    return render

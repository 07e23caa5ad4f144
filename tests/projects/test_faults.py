"""A few of the faults of `uv run poe faults`, in their short form: the whole of it takes hours."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.house import House
from tests.faults.registry import FAULTS, Combination
from tests.faults.run import run
from tests.projects import services
from tests.projects.environments import Environment

SEED = 31
CASES = [
    ("kill_everything", Combination("safe", "", "sqlite"), ()),
    ("broker_leaves_worker", Combination("celery", "redis", "sqlite"), ("redis-server",)),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that servers may enter which run as another user."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize(("name", "on", "needs"), CASES, ids=[case[0] for case in CASES])
def test_nothing_is_lost(
    name: str, on: Combination, needs: tuple[str, ...], folder: Path, newest: Environment
) -> None:
    services.programs(*needs)
    [fault] = [fault for fault in FAULTS if fault.name == name]
    with House(on, folder, newest) as house:
        row = run(house, fault, SEED, quick=True)
    assert not row.failed, f"{row}\n{row.trouble}"
    assert row.accepted > 0

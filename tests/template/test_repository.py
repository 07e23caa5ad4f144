"""What must never be in the repository: lock files, addresses of an index, paths of a machine."""

import re
from pathlib import Path

import pytest

from tests import helpers

LOCKS = {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "pdm.lock"}
INDEX = re.compile(r"index[-_]url|find[-_]links|\[\[tool\.uv\.index", re.IGNORECASE)


def tracked() -> list[Path]:
    """Return every file that git knows, or would add."""
    known = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = helpers.git(*known, cwd=helpers.ROOT).split("\0")
    paths = [helpers.ROOT / name for name in names if name]
    return [path for path in paths if path.is_file() and path != Path(__file__)]


def test_no_lock_file() -> None:
    assert not [path for path in tracked() if path.name in LOCKS]


@pytest.mark.parametrize(
    "folder", [helpers.ROOT, Path.home()], ids=["checkout", "home"]
)
def test_no_path_of_this_machine(folder: Path) -> None:
    path = f"{folder.resolve()}/".encode()
    assert not [file for file in tracked() if path in file.read_bytes()]


def test_no_address_of_an_index() -> None:
    assert not [
        file for file in tracked() if INDEX.search(file.read_text(errors="ignore"))
    ]

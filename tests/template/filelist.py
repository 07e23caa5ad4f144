"""Writes the lists of files in `files/`: run `uv run poe files` and read the difference."""

import tempfile
from pathlib import Path

from tests import helpers

LISTS = Path(__file__).parent / "files"


def paths(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return set(helpers.tree(folder))


def expected(pattern: str, ci: str) -> list[str]:
    """Return the list of a variant: its pattern's, and what its CI adds."""
    names = [pattern] if ci == "none" else [pattern, f"ci-{ci}"]
    return sorted(line for name in names for line in (LISTS / f"{name}.txt").read_text().split())


def write(name: str, files: set[str]) -> None:
    """Write one list."""
    (LISTS / f"{name}.txt").write_text("".join(f"{path}\n" for path in sorted(files)))


def main() -> None:
    """Write a list for each pattern and for each CI."""
    LISTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for pattern in helpers.PATTERNS:
            write(pattern, paths(helpers.render(pattern, "none", Path(scratch, pattern, "shop"))))
        plain = paths(Path(scratch, "simple/shop"))
        for ci in helpers.CIS:
            if ci != "none":
                write(f"ci-{ci}", paths(helpers.render("simple", ci, Path(scratch, ci))) - plain)


if __name__ == "__main__":
    main()

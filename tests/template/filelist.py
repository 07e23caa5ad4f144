"""Writes the lists of files in `files/`: run `uv run poe files` and read the difference."""

import tempfile
from pathlib import Path

from tests import helpers

LISTS = Path(__file__).parent / "files"


def paths(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return set(helpers.tree(folder))


def expected(pattern: str, ci: str, ai: bool) -> list[str]:
    """Return the list of a variant: its pattern's, and what its CI and its AI add."""
    names = [pattern]
    names += [] if ci == "none" else [f"ci-{ci}"]
    names += ["ai", f"ai-{pattern}"] if ai else []
    return sorted(line for name in names for line in (LISTS / f"{name}.txt").read_text().split())


def write(name: str, files: set[str]) -> None:
    """Write one list."""
    (LISTS / f"{name}.txt").write_text("".join(f"{path}\n" for path in sorted(files)))


def main() -> None:
    """Write a list for each pattern, each CI, and what AI adds to all patterns and to each."""
    LISTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = {p: paths(render(scratch, p, "none")) for p in helpers.PATTERNS}
        added = {p: paths(render(scratch, p, "none", ai=True)) - plain[p] for p in plain}
        for ci in ("github", "gitlab"):
            write(f"ci-{ci}", paths(render(scratch, "simple", ci)) - plain["simple"])
    everywhere = set.intersection(*added.values())
    write("ai", everywhere)
    for pattern in helpers.PATTERNS:
        write(pattern, plain[pattern])
        write(f"ai-{pattern}", added[pattern] - everywhere)


def render(scratch: str, pattern: str, ci: str, *, ai: bool = False) -> Path:
    """Render a variant into a folder of its own."""
    return helpers.render(pattern, ci, Path(scratch, f"{pattern}-{ci}-{ai}", "shop"), ai=ai)


if __name__ == "__main__":
    main()

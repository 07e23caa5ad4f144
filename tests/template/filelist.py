"""Writes the lists of files in `files/`: run `uv run poe files` and read the difference."""

import tempfile
from pathlib import Path

from tests import helpers

LISTS = Path(__file__).parent / "files"
OPTIONS: dict[str, dict[str, bool]] = {
    "shop": {},
    "scheduled": {"schedule": True},
    "ai": {"ai": True},
}


def paths(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return set(helpers.tree(folder))


def expected(pattern: str, ci: str, schedule: bool, ai: bool) -> list[str]:
    """Return the list of a variant: its pattern's, with what its options bring and take."""
    names = [pattern]
    names += [] if ci == "none" else [f"ci-{ci}"]
    names += ["ai", f"ai-{pattern}"] if ai else []
    files = {line for name in names for line in (LISTS / f"{name}.txt").read_text().split()}
    return sorted(files ^ changes(pattern) if schedule else files)


def changes(pattern: str) -> set[str]:
    """Return the files that a schedule brings (+) or takes (-)."""
    listed = (LISTS / f"schedule-{pattern}.txt").read_text().splitlines()
    return {line[2:] for line in listed}


def write(name: str, files: set[str]) -> None:
    """Write one list."""
    (LISTS / f"{name}.txt").write_text("".join(f"{path}\n" for path in sorted(files)))


def write_changes(pattern: str, without: set[str], scheduled: set[str]) -> None:
    """Write what a schedule brings to a pattern, and what it takes."""
    lines = [f"+ {path}\n" for path in scheduled - without]
    lines += [f"- {path}\n" for path in without - scheduled]
    (LISTS / f"schedule-{pattern}.txt").write_text("".join(sorted(lines)))


def main() -> None:
    """Write a list for each pattern, with and without its options, and for each CI."""
    LISTS.mkdir(exist_ok=True)
    added = {}
    with tempfile.TemporaryDirectory() as scratch:
        for pattern in helpers.PATTERNS:
            plain, scheduled, with_ai = (
                paths(helpers.render(pattern, "none", Path(scratch, pattern, name), **options))
                for name, options in OPTIONS.items()
            )
            write(pattern, plain)
            write_changes(pattern, plain, scheduled)
            added[pattern] = with_ai - plain
        plain = paths(Path(scratch, "simple/shop"))
        for ci in helpers.CIS:
            if ci != "none":
                write(f"ci-{ci}", paths(helpers.render("simple", ci, Path(scratch, ci))) - plain)
    everywhere = set.intersection(*added.values())
    write("ai", everywhere)
    for pattern, files in added.items():
        write(f"ai-{pattern}", files - everywhere)


if __name__ == "__main__":
    main()

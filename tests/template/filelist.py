"""Writes the lists of files in `files/`: run `uv run poe files` and read the difference."""

import tempfile
from pathlib import Path

from tests import helpers

LISTS = Path(__file__).parent / "files"


def paths(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return set(helpers.tree(folder))


def expected(pattern: str, ci: str, schedule: bool, ai: bool) -> list[str]:
    """Return the list of a variant: its pattern's, what its CI and its AI add, what a schedule changes."""
    names = [pattern] if ci == "none" else [pattern, f"ci-{ci}"]
    names += ["ai", f"ai-{pattern}"] if ai else []
    names += ["ai-schedule"] if ai and schedule else []
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
    """Write a list for each pattern, and what a schedule, each CI, AI, and AI with a schedule change."""
    LISTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = {p: paths(render(scratch, p)) for p in helpers.PATTERNS}
        scheduled = {p: paths(render(scratch, p, schedule=True)) for p in plain}
        added = {p: paths(render(scratch, p, ai=True)) - plain[p] for p in plain}
        both = paths(render(scratch, "simple", schedule=True, ai=True))
        for ci in ("github", "gitlab"):
            write(f"ci-{ci}", paths(render(scratch, "simple", ci)) - plain["simple"])
    everywhere = set.intersection(*added.values())
    write("ai", everywhere)
    write("ai-schedule", both - scheduled["simple"] - added["simple"])
    for pattern in helpers.PATTERNS:
        write(pattern, plain[pattern])
        write_changes(pattern, plain[pattern], scheduled[pattern])
        write(f"ai-{pattern}", added[pattern] - everywhere)


def render(
    scratch: str, pattern: str, ci: str = "none", *, schedule: bool = False, ai: bool = False
) -> Path:
    """Render a variant into a folder of its own."""
    folder = Path(scratch, f"{pattern}-{ci}-{schedule}-{ai}", "shop")
    return helpers.render(pattern, ci, folder, schedule=schedule, ai=ai)


if __name__ == "__main__":
    main()

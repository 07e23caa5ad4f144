"""The lists of files in `files/`. `uv run poe files` writes them: read the difference.

A variant has the files of several lists: `base`, its pattern, its CI, its features, and
pairs of these, such as `ai-celery`. `afterward` lists the runtime package once.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import helpers

LISTS = Path(__file__).parent / "files"
PACKAGE = "afterward/"


def paths(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return set(helpers.tree(folder))


def expected(pattern: str, ci: str, schedule: bool, ai: bool) -> list[str]:
    """Return the files of a variant."""
    names = ["afterward", "base", pattern, f"ci-{ci}"]
    names += ["schedule", f"schedule-{pattern}"] if schedule else []
    names += ["ai", f"ai-{pattern}"] if ai else []
    names += ["ai-schedule"] if ai and schedule else []
    return sorted(line for name in names for line in read(name))


def read(name: str) -> list[str]:
    """Return the lines of a list. A list without files does not exist."""
    file = LISTS / f"{name}.txt"
    return file.read_text().splitlines() if file.exists() else []


def main() -> None:
    """Write all lists."""
    for stale in LISTS.glob("*.txt"):
        stale.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        for name, files in lists(Path(scratch)):
            if files:
                text = "".join(f"{path}\n" for path in sorted(files))
                (LISTS / f"{name}.txt").write_text(text)


def lists(scratch: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield the name and the files of each list."""
    plain = {pattern: render(scratch, pattern, "none") for pattern in helpers.PATTERNS}
    base = set.intersection(*plain.values())
    package = {path for path in base if path.startswith(PACKAGE)}
    yield "afterward", package
    yield "base", base - package
    for pattern, files in plain.items():
        yield pattern, files - base
    for ci in ("github", "gitlab"):
        yield f"ci-{ci}", render(scratch, "simple", ci) - plain["simple"]
    for feature in ("schedule", "ai"):
        added = {
            pattern: render(scratch, pattern, "none", **{feature: True}) - files
            for pattern, files in plain.items()
        }
        everywhere = set.intersection(*added.values())
        yield feature, everywhere
        for pattern, files in added.items():
            yield f"{feature}-{pattern}", files - everywhere
    both = render(scratch, "simple", "none", schedule=True, ai=True)
    one = [render(scratch, "simple", "none", **{f: True}) for f in ("schedule", "ai")]
    yield "ai-schedule", both.difference(*one)


def render(scratch: Path, pattern: str, ci: str = "none", **features: bool) -> set[str]:
    """Render a variant, and return its paths."""
    folder = Path(tempfile.mkdtemp(dir=scratch), "shop")
    return paths(helpers.render(pattern, ci, folder, **features))


if __name__ == "__main__":
    main()

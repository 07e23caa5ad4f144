"""A project that exists already: where it lies, and what its answers say."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.patterns import Pattern
from bgscaffold.project.errors import NotAProjectError

HOUSE = ("app/domains.py", "app/background/__init__.py")  # what every project has
ANSWER = re.compile(r"^(\w+):[ \t]+['\"]?(.*?)['\"]?[ \t]*$", re.MULTILINE)
LINE_LENGTH = re.compile(
    r"^\[tool\.ruff\][^\[]*?^line-length\s*=\s*(\d+)", re.MULTILINE
)
SUPPORTS = re.compile(
    r"\bsupport(?:s|ed)\s*=\s*frozenset\((.*?)\)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Project:
    """A project on the disk, with the answers it was made from."""

    root: Path
    answers: dict[str, str]

    @property
    def pattern(self) -> Pattern:
        """Return how its tasks run."""
        return Pattern(self.answers["pattern"])

    @property
    def line_length(self) -> int:
        """Return how long its ruff lets a line be."""
        found = LINE_LENGTH.search(read_text(self.root / "pyproject.toml"))
        return int(found[1]) if found else 88

    @property
    def supports(self) -> set[str]:
        """Return the options that its backend says it can honour."""
        room = sorted((self.root / "app" / "background").glob("*.py"))
        declared = " ".join(
            part for file in room for part in SUPPORTS.findall(read_text(file))
        )
        return set(re.findall(r"[\"']([\w ]+)[\"']", declared))


def find_project(start: str | None) -> Project:
    """Return the project that a folder lies in: the given one, or the current."""
    return open_project(find_root(start))


def find_root(start: str | None) -> Path:
    """Return the root of the project that a folder lies in: the given one, or the current."""
    folder = Path(
        os.path.realpath(start or ".")
    )  # git knows no other, and `..` has no parents
    if (
        not folder.is_dir()
    ):  # such as an option without its dashes; the current one is not meant
        there = os.path.lexists(folder)
        raise NotAProjectError(
            str(folder), "it is no folder" if there else "there is no such folder"
        )
    for candidate in [folder, *folder.parents]:
        if os.path.isfile(candidate / ANSWERS_FILE):
            return candidate
        if os.path.lexists(candidate / ANSWERS_FILE):
            raise NotAProjectError(str(candidate), f"its {ANSWERS_FILE} is no file")
    raise NotAProjectError(str(folder), f"no {ANSWERS_FILE} here or in a folder above")


def open_project(root: Path) -> Project:
    """Return the project at this root, if it is one of bgscaffold."""
    answers = dict(ANSWER.findall(read_text(root / ANSWERS_FILE)))
    if answers.get("pattern") not in set(Pattern):
        raise NotAProjectError(
            str(root), f"{ANSWERS_FILE} names no pattern of bgscaffold"
        )
    for part in HOUSE:
        if not (root / part).is_file():
            raise NotAProjectError(str(root), f"it has no {part}")
    return Project(root, answers)


def read_text(file: Path) -> str:
    """Return what a file holds, as far as it can be read; '' when it cannot, or would take for ever."""
    try:
        return (
            file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        )
    except OSError:
        return ""

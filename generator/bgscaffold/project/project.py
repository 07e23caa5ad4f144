"""A project that exists: its folder and its answers."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bgscaffold.features import Feature
from bgscaffold.git.repository import require_no_open_conflicts
from bgscaffold.layout import ANSWERS_FILE, application_packages
from bgscaffold.patterns import Pattern
from bgscaffold.project.answers import Answers, read_answers
from bgscaffold.project.errors import NotAProjectError

LINE_LENGTH = re.compile(
    r"^\[tool\.ruff\][^\[]*?^line-length\s*=\s*(\d+)", re.MULTILINE
)
DEFAULT_LINE_LENGTH = 88
SETTING = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]*)=", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """A project on the disk."""

    root: Path
    answers: Answers

    @classmethod
    def find(cls, path: str | None = None) -> "Project":
        """Return the project around a folder, by default the current one.

        A project with open merge conflicts is refused, because its files and its
        answers are not to be trusted before the conflicts are resolved.
        """
        root = find_root(path)
        require_no_open_conflicts(root)
        return cls.load(root)

    @classmethod
    def load(cls, root: Path) -> "Project":
        """Return the project whose answers file is in this folder."""
        project = cls(root, read_answers(root))
        if not project.packages:
            raise NotAProjectError(str(root), "app/background.py is missing")
        return project

    @property
    def name(self) -> str:
        """Return the name that the project was created with."""
        return str(self.answers.values.get("project_name", self.root.name))

    @property
    def pattern(self) -> Pattern:
        """Return the pattern that runs its tasks."""
        return self.answers.pattern

    @property
    def commit(self) -> str:
        """Return the version of the template that it was created from."""
        return self.answers.commit

    @property
    def features(self) -> list[Feature]:
        """Return the features that it has."""
        return self.answers.features

    @property
    def packages(self) -> list[Path]:
        """Return its application packages: `app`, or what the user has made of it."""
        return application_packages(self.root)

    @property
    def line_length(self) -> int:
        """Return the line length that its ruff allows."""
        found = LINE_LENGTH.search(read_text(self.root / "pyproject.toml"))
        return int(found[1]) if found else DEFAULT_LINE_LENGTH


def find_root(path: str | None = None) -> Path:
    """Return the nearest folder with an answers file, from a folder upwards."""
    folder = Path(os.path.realpath(path or "."))
    if not folder.is_dir():
        found = os.path.lexists(folder)
        reason = "it is not a folder" if found else "it does not exist"
        raise NotAProjectError(str(folder), reason)
    for candidate in [folder, *folder.parents]:
        answers = candidate / ANSWERS_FILE
        if os.path.isfile(answers):
            return candidate
        if os.path.lexists(answers):
            raise NotAProjectError(str(candidate), f"its {ANSWERS_FILE} is not a file")
    reason = f"no {ANSWERS_FILE} in this folder or above it"
    raise NotAProjectError(str(folder), reason)


def documented_settings(root: Path) -> list[str]:
    """Return the settings that a project's .env.example explains."""
    return list(dict.fromkeys(SETTING.findall(read_text(root / ".env.example"))))


def read_text(file: Path) -> str:
    """Return the text of a regular file, '' where it cannot be read."""
    try:
        return file.read_text("utf-8", "replace") if file.is_file() else ""
    except OSError:
        return ""

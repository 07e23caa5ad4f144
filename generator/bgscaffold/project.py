"""The project to create, as a value that cannot be wrong."""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from keyword import iskeyword
from pathlib import Path

from bgscaffold.errors import BadName
from bgscaffold.patterns import Pattern

NAME = re.compile(r"\A[a-z](?:[a-z0-9_-]{0,61}[a-z0-9])?\Z")
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


class Ci(StrEnum):
    """Where the project's continuous integration runs."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


@dataclass(frozen=True)
class Project:
    """A project to create: its name, its folder and its answers."""

    name: str
    destination: Path
    pattern: Pattern
    ci: Ci = Ci.GITHUB

    def __post_init__(self) -> None:
        if not NAME.search(self.name) or self.name in DEVICES or iskeyword(self.name):
            raise BadName(self.name)

    @classmethod
    def at(cls, path: str, *, pattern: Pattern, ci: Ci) -> "Project":
        """Take the last part of a path, as it was typed, for the name."""
        name = re.split(r"[/\\]" if os.sep == "\\" else "/", path.rstrip("/"))[-1]
        return cls(name, Path(os.path.abspath(path)), pattern, ci)

    @property
    def answers(self) -> dict[str, str]:
        """Return the answers to the questions of copier.yml."""
        return {"project_name": self.name, "pattern": self.pattern.value, "ci": self.ci.value}

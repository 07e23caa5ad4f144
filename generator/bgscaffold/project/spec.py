"""The project to create, as a value that is always valid."""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from keyword import iskeyword
from pathlib import Path

from bgscaffold.patterns import Pattern
from bgscaffold.project.errors import ProjectNameError

NAME = re.compile(r"\A[a-z](?:[a-z0-9_-]{0,61}[a-z0-9])?\Z")
PORTS = [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
WINDOWS_DEVICES = frozenset(["con", "prn", "aux", "nul", *PORTS])

# uv mistakes a project with such a name for the dependency, and does not install it.
DEPENDENCIES = """
aiosmtplib aiosqlite alembic amqp anyio apscheduler celery click coverage cronsim
fastapi greenlet h11 httpcore2 httpx2 idna kombu mako mkdocs mypy numpy openai pgvector
poethepoet prometheus-client psycopg psycopg-binary pydantic pydantic-ai-slim
pydantic-core pydantic-settings pypdf pytest pytest-cov python-json-logger
python-multipart redis ruff sqlalchemy sqlite-vec starlette tokenizers typing-extensions
tzdata tzlocal uvicorn watchfiles wordllama
"""


class Ci(StrEnum):
    """The continuous integration of a project."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


@dataclass(frozen=True)
class ProjectSpec:
    """A project to create: its name, its folder and its answers."""

    name: str
    destination: Path
    pattern: Pattern
    ci: Ci = Ci.GITHUB
    schedule: bool = False
    ai: bool = False

    def __post_init__(self) -> None:
        reason = why_reserved(self.name)
        if reason or not NAME.search(self.name):
            raise ProjectNameError(self.name, reason)

    @classmethod
    def at(
        cls,
        path: str,
        *,
        pattern: Pattern,
        ci: Ci,
        schedule: bool = False,
        ai: bool = False,
    ) -> "ProjectSpec":
        """Return the project to create at a path, whose last part is its name."""
        folder, name = os.path.split(path.rstrip("/" + os.sep))
        if name in (os.curdir, os.pardir):
            folder, name = os.path.split(os.path.realpath(path))
        return cls(
            name=name,
            destination=Path(os.path.realpath(folder), name),
            pattern=pattern,
            ci=ci,
            schedule=schedule,
            ai=ai,
        )

    @property
    def answers(self) -> dict[str, str | bool]:
        """Return the answers to the questions of copier.yml."""
        return {
            "project_name": self.name,
            "pattern": self.pattern.value,
            "ci": self.ci.value,
            "schedule": self.schedule,
            "ai": self.ai,
        }


def why_reserved(name: str) -> str:
    """Return what a name means to Python, to Windows or to uv, '' if nothing."""
    if iskeyword(name):
        return "it is a Python keyword"
    if name in WINDOWS_DEVICES:
        return "it is a device name of Windows"
    if name.replace("_", "-") in DEPENDENCIES.split():
        return "it is a dependency of the project"
    return ""

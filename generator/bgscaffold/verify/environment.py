"""Two environments: the project's runs servers, that of bgscaffold runs suites."""

import json
import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bgscaffold.system.processes import last_line, run_with_timeout
from bgscaffold.verify.errors import (
    ExtraMissingError,
    NotInstalledError,
    UvMissingError,
)

SUITE_PACKAGES = ("httpx2", "psycopg", "pytest")
INTERPRETERS = ("bin/python", "Scripts/python.exe")
LOOK_TIMEOUT = 30.0  # seconds
REQUIRED = ["fastapi", "uvicorn"]
SCHEDULE = ["apscheduler", "cronsim"]
FIND = """\
import importlib.util, json, sys
found = {name: importlib.util.find_spec(name) is not None for name in sys.argv[1:]}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class ProjectEnvironment:
    """The project's own Python, and what is installed beside it."""

    python: Path
    has_schedule: bool


def require_extra() -> None:
    """Refuse to run without the packages of `bgscaffold[verify]`."""
    if missing := [name for name in SUITE_PACKAGES if find_spec(name) is None]:
        raise ExtraMissingError(", ".join(missing))


def project_environment(root: Path) -> ProjectEnvironment:
    """Return the environment of a project.

    Raises:
        NotInstalledError: It does not exist, or lacks packages.
        UvMissingError: The same, and the remedy needs uv, which is missing too.
    """
    python = find_python(root)
    if python is None:
        raise not_installed(root, "there is no .venv")
    command: list[str | Path] = [python, "-I", "-c", FIND, *REQUIRED, *SCHEDULE]
    try:
        done = run_with_timeout(command, LOOK_TIMEOUT)
    except OSError as error:
        raise not_installed(root, f"{python}: {error.strerror}") from error
    if done.status != "exit code 0":
        printed = last_line(done.stderr, str) or done.status
        raise not_installed(root, f"{python}: {printed}")
    found = json.loads(done.stdout)
    if missing := [name for name in REQUIRED if not found[name]]:
        raise not_installed(root, f"{python} lacks {', '.join(missing)}")
    return ProjectEnvironment(
        python=python, has_schedule=all(found[name] for name in SCHEDULE)
    )


def not_installed(root: Path, reason: str) -> NotInstalledError | UvMissingError:
    """Return the error whose remedy this machine can follow."""
    error = NotInstalledError if shutil.which("uv") else UvMissingError
    return error(str(root), reason)


def find_python(root: Path) -> Path | None:
    """Return the Python of the environment that uv makes for a project."""
    folder = root / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
    candidates = [folder / inner for inner in INTERPRETERS]
    return next((python for python in candidates if python.exists()), None)

"""Virtual environments for generated projects: installed once for each resolution, then shared.

The environment of the pattern `celery` with schedules, AI and all groups holds what any needs. That a pattern
does with what it declares itself is shown once for each, in test_versions.py.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import uv
from filelock import FileLock

from bgscaffold.verify.suite.terminal import Terminal
from tests import helpers
from tests.projects.dev import Dev

# What a test run, uv, poe and coverage leave to their children, and what projects take as settings.
PRIVATE = (
    *(
        "PYTEST_",
        "COV_",
        "COVERAGE_",
        "POE_",
        "TEST_",
        "TASK_",
        "BROKER_URL",
        "DATABASE_URL",
    ),
    *(
        "ENVIRONMENT",
        "VIRTUAL_ENV",
        "UV_PROJECT_ENVIRONMENT",
        "UV_NO_SYNC",
        "UV_RUN_RECURSION_DEPTH",
    ),
)


EVERYTHING = {"schedule": True, "ai": True}


@dataclass(frozen=True)
class Environment:
    """How commands are run in a project: by uv, which alone is added to this machine's PATH."""

    variables: dict[str, str]

    @property
    def python(self) -> Path:
        """The Python of a shared environment."""
        return Path(self.variables["UV_PROJECT_ENVIRONMENT"], "bin", "python")

    def uv(self, project: Path, *arguments: str, **variables: str) -> str:
        """Run uv in a project, demand that it succeeds, and return what was printed."""
        done = subprocess.run(
            [uv.find_uv_bin(), *arguments],
            cwd=project,
            env=self.variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"uv {' '.join(arguments)}\n{done.stdout}"
        return done.stdout

    def run(self, project: Path, *command: str, **variables: str) -> str:
        """Do the same with `uv run`."""
        return self.uv(project, "run", *command, **variables)

    def test(self, project: Path, *options: str, **variables: str) -> str:
        """Run the project's own tests, as its README says, and return what was printed."""
        litter = project.parent / f"{project.name}-tmp"
        litter.mkdir(exist_ok=True)
        return self.run(
            project, "poe", "test", *options, TMPDIR=str(litter), **variables
        )

    def assert_every_test_passes(self, project: Path, **variables: str) -> None:
        """Run them all, as the project's own CI does; one that is left out is a failure, too."""
        said = self.test(project, "-m", "", **variables)
        assert re.search(r"^=* *\d+ passed in ", said, re.MULTILINE), said

    def terminal(self, project: Path, *command: str) -> Terminal:
        """Run a command in a terminal."""
        return Terminal(
            uv.find_uv_bin(), "run", *command, cwd=project, env=self.variables
        )

    def dev(self, project: Path, **variables: str) -> Dev:
        """Start the project, as its README says."""
        command = (uv.find_uv_bin(), "run", "poe", "dev")
        return Dev(*command, cwd=project, env=self.variables | variables)


def bare(folder: Path) -> Environment:
    """Return this machine's environment, with uv and without what the repository's own tests use."""
    tools = folder / "tools"
    with FileLock(folder / "tools.lock"):
        if not tools.exists():
            tools.mkdir()
            (tools / "uv").symlink_to(uv.find_uv_bin())
    own = str(Path(sys.executable).parent)
    found = [path for path in os.environ["PATH"].split(os.pathsep) if path != own]
    variables = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
    variables["PATH"] = os.pathsep.join([str(tools), *found])
    variables["UV_PYTHON_DOWNLOADS"] = "never"
    return Environment(variables)


def shared(folder: Path, resolution: str, python: str = sys.executable) -> Environment:
    """Return an environment with the versions of a resolution. It is installed when first needed."""
    home = folder / "-".join([resolution, *Path(python).resolve().parts[1:]])
    target = {"UV_PROJECT_ENVIRONMENT": str(home / ".venv")}
    ready = home / "ready"
    with FileLock(f"{home}.lock"):
        if not ready.exists():
            helpers.render("celery", "none", home, project_name="shared", **EVERYTHING)
            # Compiled, for where Python writes no bytecode each of its processes would compile all.
            options = ("--all-groups", "--compile-bytecode", "--resolution", resolution)
            bare(folder).uv(home, "sync", *options, "--python", python, **target)
            ready.touch()
    return Environment(bare(folder).variables | target | {"UV_NO_SYNC": "1"})


def newest_python(folder: Path) -> str | None:
    """Return the newest Python of this machine, if it is newer than the one that runs the tests."""
    version, found = max(pythons(folder))
    return found if version[:2] > sys.version_info[:2] else None


def python_with_extensions(folder: Path) -> str | None:
    """Return a Python of this machine that lets SQLite load extensions; not every one does."""
    asks = "import sqlite3; raise SystemExit(not hasattr(sqlite3.Connection, 'load_extension'))"
    for version, found in sorted(pythons(folder), reverse=True):
        able = subprocess.run([found, "-c", asks], capture_output=True, check=False)
        if version[:2] >= (3, 11) and able.returncode == 0:
            return found
    return None


def pythons(folder: Path) -> list[tuple[tuple[int, ...], str]]:
    """Return the version and the path of every Python on this machine."""
    own = bare(folder).variables
    pyenv = map(str, Path.home().glob(".pyenv/versions/*/bin"))
    path = os.pathsep.join([*pyenv, own["PATH"]])
    command = (
        uv.find_uv_bin(),
        "python",
        "list",
        "--only-installed",
        "--output-format",
        "json",
    )
    listed = subprocess.run(
        command, env=own | {"PATH": path}, capture_output=True, check=True
    )
    return [
        (tuple(map(int, python["version"].split("."))), python["path"])
        for python in json.loads(listed.stdout)
        if python["version"].replace(".", "").isdigit()
        and python["variant"] == "default"
    ]

"""Virtual environments for generated projects.

Projects that declare the same packages share an environment, and no others do. So a
package that a variant lacks is missing in its tests, too.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import uv
from filelock import FileLock

from bgscaffold.verify.suite.terminal import Terminal
from tests import helpers
from tests.projects.dev import Dev

# Variables of a test run, uv, poe and coverage, and those that projects read as settings.
PRIVATE = (
    "BROKER_URL",
    "COVERAGE_",
    "COV_",
    "DATABASE_URL",
    "ENVIRONMENT",
    "POE_",
    "PYTEST_",
    "TASK_",
    "TEST_",
    "UV_NO_SYNC",
    "UV_PROJECT_ENVIRONMENT",
    "UV_RUN_RECURSION_DEPTH",
    "VIRTUAL_ENV",
)
EVERYTHING = {"schedule": True, "ai": True}


class Environment:
    """Runs commands in projects, by uv, which is the only addition to PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def variables(self, project: Path) -> dict[str, str]:
        """Return the variables of a command that runs in a project."""
        return bare_variables(self.folder)

    def uv(self, project: Path, *arguments: str, **variables: str) -> str:
        """Run uv in a project, demand that it succeeds, and return what it printed."""
        done = subprocess.run(
            [uv.find_uv_bin(), *arguments],
            cwd=project,
            env=self.variables(project) | variables,
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
        """Run the project's own tests as its README says, and return the output."""
        scratch = project.parent / f"{project.name}-tmp"
        scratch.mkdir(exist_ok=True)
        command = ("poe", "test", *options)
        return self.run(project, *command, TMPDIR=str(scratch), **variables)

    def assert_every_test_passes(self, project: Path, **variables: str) -> None:
        """Run all tests. One that is skipped is a failure, too."""
        output = self.test(project, **variables)
        assert re.search(r"^=* *\d+ passed in ", output, re.MULTILINE), output

    def terminal(self, project: Path, *command: str) -> Terminal:
        """Run a command in a terminal."""
        line = (uv.find_uv_bin(), "run", *command)
        return Terminal(*line, cwd=project, env=self.variables(project))

    def dev(self, project: Path, **variables: str) -> Dev:
        """Start the project as its README says."""
        line = (uv.find_uv_bin(), "run", "poe", "dev")
        return Dev(*line, cwd=project, env=self.variables(project) | variables)


@dataclass(frozen=True)
class Installation:
    """How packages are installed."""

    resolution: str = "highest"
    python: str = sys.executable


class InstalledEnvironment(Environment):
    """Installs what a project declares when a command first needs it."""

    def __init__(self, folder: Path, installation: Installation) -> None:
        super().__init__(folder)
        self.installation = installation

    def variables(self, project: Path) -> dict[str, str]:
        """Return the variables that lead to the environment of this project."""
        home = self._home(project)
        found = super().variables(project) | {
            "MYPY_CACHE_DIR": str(home / "mypy"),
            "UV_PROJECT_ENVIRONMENT": str(home / ".venv"),
        }
        with FileLock(f"{home}.lock"):
            if not (home / "ready").exists():
                self._install(project, home, found)
        return found | {"UV_NO_SYNC": "1"}

    def python(self, project: Path) -> Path:
        """Return the Python of a project's environment."""
        return Path(self.variables(project)["UV_PROJECT_ENVIRONMENT"], "bin", "python")

    def _home(self, project: Path) -> Path:
        key = sha256(f"{self.installation}{declared_packages(project)}".encode())
        return self.folder / f"{self.installation.resolution}-{key.hexdigest()[:12]}"

    def _install(self, project: Path, home: Path, variables: dict[str, str]) -> None:
        home.mkdir(exist_ok=True)
        (home / "pyproject.toml").write_text(read_pyproject(project))
        installation = self.installation
        options = ("--all-groups", "--resolution", installation.resolution)
        subprocess.run(
            [uv.find_uv_bin(), "sync", *options, "--python", installation.python],
            cwd=home,
            env=variables,
            capture_output=True,
            check=True,
        )
        (home / "ready").touch()


def read_pyproject(project: Path) -> str:
    """Return the text of pyproject.toml."""
    return (project / "pyproject.toml").read_text(encoding="utf-8")


def declared_packages(project: Path) -> str:
    """Return what a project declares, in a form that can be compared."""
    content = tomllib.loads(read_pyproject(project))
    declared = [content["project"]["dependencies"], content["dependency-groups"]]
    return json.dumps(declared, sort_keys=True)


def bare_variables(folder: Path) -> dict[str, str]:
    """Return this machine's variables, with uv and without the tools of these tests."""
    tools = folder / "tools"
    with FileLock(folder / "tools.lock"):
        if not tools.exists():
            tools.mkdir()
            (tools / "uv").symlink_to(uv.find_uv_bin())
    own = str(Path(sys.executable).parent)
    others = [path for path in os.environ["PATH"].split(os.pathsep) if path != own]
    variables = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
    return variables | {
        "PATH": os.pathsep.join([str(tools), *others]),
        "PYTHONDONTWRITEBYTECODE": "",  # or each process compiles everything again
        "UV_PYTHON_DOWNLOADS": "never",
    }


def python_with_everything(folder: Path) -> Path:
    """Return the Python of an environment with the packages of every variant."""
    project = helpers.render("celery", "none", folder / "everything", **EVERYTHING)
    return InstalledEnvironment(folder, Installation()).python(project)


def newest_python(folder: Path) -> str | None:
    """Return the newest Python of this machine, if it is newer than this one."""
    version, found = max(pythons(folder))
    return found if version[:2] > sys.version_info[:2] else None


def python_with_extensions(folder: Path) -> str | None:
    """Return a Python that lets SQLite load extensions; not every build does."""
    check = (
        "import sqlite3;"
        "raise SystemExit(not hasattr(sqlite3.Connection, 'load_extension'))"
    )
    for version, found in sorted(pythons(folder), reverse=True):
        done = subprocess.run([found, "-c", check], capture_output=True, check=False)
        if version[:2] >= (3, 11) and done.returncode == 0:
            return found
    return None


def pythons(folder: Path) -> list[tuple[tuple[int, ...], str]]:
    """Return the version and the path of every Python on this machine."""
    own = bare_variables(folder)
    pyenv = map(str, Path.home().glob(".pyenv/versions/*/bin"))
    path = os.pathsep.join([*pyenv, own["PATH"]])
    options = ("--only-installed", "--output-format", "json")
    listed = subprocess.run(
        [uv.find_uv_bin(), "python", "list", *options],
        env=own | {"PATH": path},
        capture_output=True,
        check=True,
    )
    return [
        (tuple(map(int, python["version"].split("."))), python["path"])
        for python in json.loads(listed.stdout)
        if python["version"].replace(".", "").isdigit()
        and python["variant"] == "default"
    ]

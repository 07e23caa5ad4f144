"""Checks from inside: the project's own Python runs `probe.py` in its folder."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgscaffold.doctor.findings import Finding, fail, ok, warn
from bgscaffold.doctor.machine import dotted, parse_version
from bgscaffold.doctor.redaction import Redactor
from bgscaffold.doctor.supported_versions import FASTAPI_RANGE, MINIMUM_PYTHON
from bgscaffold.project.project import Project
from bgscaffold.system.processes import ProcessResult, last_line, run_with_timeout

PROBE = Path(__file__).with_name("probe.py")
TIMEOUT = 60.0  # seconds for all checks; each has a limit of its own
PLACES = ("bin/python", "Scripts/python.exe")
FINDING = {"state", "check", "detail", "remedy"}
ENVIRONMENT = re.compile(
    r"^[ \t]*(export[ \t]+)?ENVIRONMENT[ \t]*=", re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True)
class Report:
    """What the probe has printed, and how it ended."""

    messages: list[dict[str, Any]]
    status: str
    last_output: str  # of the project's own code

    @property
    def versions(self) -> dict[str, str]:
        """Return the installed versions, none if the probe did not start."""
        for message in self.messages:
            if message.keys() == {"versions"}:
                return dict(message["versions"])
        return {}

    @property
    def findings(self) -> list[Finding]:
        """Return what the probe has found."""
        return [
            Finding(**message)
            for message in self.messages
            if message.keys() == FINDING and set(map(type, message.values())) == {str}
        ]

    @property
    def unfinished(self) -> str:
        """Return the check in which the probe ended, '' if it finished."""
        if {"done": True} in self.messages:
            return ""
        started = [each["started"] for each in self.messages if "started" in each]
        return str(started[-1]) if started else "environment"


def check_from_inside(
    project: Project, dotenv: str, redact: Redactor
) -> Iterator[Finding]:
    """Check what only the project's own code knows."""
    python = find_python(project.root)
    if python is None:
        detail = "the project is not installed"
        yield fail(
            check="environment",
            detail=detail,
            remedy="Run: uv sync",
        )
        return
    report = run_probe(python, project, dotenv, redact)
    if not report.versions:
        detail = f"{python} does not work: {report.last_output or report.status}"
        yield fail(
            check="environment",
            detail=detail,
            remedy="Remove .venv and run: uv sync",
        )
        return
    yield from check_versions(python, report.versions)
    yield from report.findings
    if check := report.unfinished:
        output = report.last_output
        detail = f"importing the project ended the check ({report.status})"
        if output:
            detail += f"; its last output: {output}"
        yield fail(
            check=check,
            detail=detail,
            remedy="Find the module that ends the process when it is imported",
        )


def find_python(root: Path) -> Path | None:
    """Return the Python of the project's environment, where uv has it."""
    own = os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    for environment in (own, os.environ.get("VIRTUAL_ENV")):
        for place in PLACES if environment else ():
            python = root / str(environment) / place
            if python.exists():
                return python
    return None


def run_probe(python: Path, project: Project, dotenv: str, redact: Redactor) -> Report:
    """Run the probe, and collect its messages."""
    command: list[str | Path] = [python, "-I", "-X", "utf8", PROBE]
    command.append(project.packages[0].relative_to(project.root))
    with tempfile.TemporaryDirectory() as folder:
        env = probe_environment(dotenv, folder)
        try:
            done = run_with_timeout(command, TIMEOUT, cwd=project.root, env=env)
        except OSError as error:
            done = ProcessResult(
                stdout="",
                stderr="",
                status=str(error.strerror),
            )
    messages = [parse_message(line) for line in done.stdout.splitlines()]
    return Report(
        messages=[message for message in messages if message],
        status=done.status,
        last_output=last_line(done.stderr, redact),
    )


def probe_environment(dotenv: str, folder: str) -> dict[str, str]:
    """Return the environment of `poe dev`, unless ENVIRONMENT is set."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
    if not ENVIRONMENT.search(dotenv):
        env.setdefault("ENVIRONMENT", "development")
    return env


def parse_message(line: str) -> dict[str, Any]:
    """Return a message of the probe. What the project prints is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def check_versions(python: Path, versions: dict[str, str]) -> Iterator[Finding]:
    """Check the versions of Python and FastAPI."""
    yield check_python(python, versions["python"])
    if versions["fastapi"]:  # else it is among the missing packages
        yield check_fastapi(versions["fastapi"])


def check_python(python: Path, version: str) -> Finding:
    """Check the version of the project's Python."""
    environment = python.parent.parent
    if parse_version(version) < MINIMUM_PYTHON:
        detail = f"Python {version} is older than {dotted(MINIMUM_PYTHON)}"
        return fail(
            check="environment",
            detail=detail,
            remedy="Run: uv python pin 3.13 && uv sync",
        )
    return ok("environment", f"Python {version} in {environment}")


def check_fastapi(version: str) -> Finding:
    """Check whether this FastAPI is known to commit before it responds."""
    oldest, newest = FASTAPI_RANGE
    tested = f"tested from {dotted(oldest)} to {dotted(newest)}"
    if parse_version(version) < oldest:
        remedy = "Run: uv sync --upgrade-package fastapi"
        return fail(
            check="fastapi",
            detail=f"{version} is too old; {tested}",
            remedy=remedy,
        )
    if parse_version(version) > newest:
        detail = f"{version} is newer than the versions {tested}"
        return warn(
            check="fastapi",
            detail=detail,
            remedy="Run: bgscaffold verify",
        )
    return ok("fastapi", f"{version}; {tested}")

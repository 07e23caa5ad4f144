"""Checks of the machine: the programs that a project needs."""

import re
import shutil
import subprocess
from collections.abc import Iterator

from bgscaffold.doctor.findings import Finding, fail, ok, warn
from bgscaffold.doctor.supported_versions import MINIMUM_UV, Version
from bgscaffold.git.client import MINIMUM_VERSION as MINIMUM_GIT

TIMEOUT = 3.0  # seconds
MISSING = "not on PATH, or it does not answer"
INSTALL_UV = "Run: python3 -m pip install uv (or: pipx install uv)"
INSTALL_GIT = (
    f"Install git {'.'.join(map(str, MINIMUM_GIT))} or newer from"
    " https://git-scm.com/downloads"
)


def check_machine() -> Iterator[Finding]:
    """Check the versions of uv and git."""
    yield check_uv(program_version("uv"))
    yield check_git(program_version("git"))


def check_uv(version: str) -> Finding:
    """Check the version of uv, '' if there is none."""
    if not version:
        return fail(
            check="uv",
            detail=MISSING,
            remedy=INSTALL_UV,
        )
    if parse_version(version) < MINIMUM_UV:
        tested = f"{version}; projects are tested with {dotted(MINIMUM_UV)} and newer"
        return warn(
            check="uv",
            detail=tested,
            remedy="Run: uv self update",
        )
    return ok("uv", version)


def check_git(version: str) -> Finding:
    """Check the version of git, '' if there is none. Only bgscaffold needs it."""
    if not version:
        return warn(
            check="git",
            detail=f"{MISSING}; bgscaffold needs it",
            remedy=INSTALL_GIT,
        )
    if parse_version(version) < MINIMUM_GIT:
        return warn(
            check="git",
            detail=f"{version} is too old for bgscaffold",
            remedy=INSTALL_GIT,
        )
    return ok("git", version)


def program_version(program: str) -> str:
    """Return the version that a program prints, '' if it prints none."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, "--version"],
            check=False,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else ""


def parse_version(version: str) -> Version:
    """Return the first two numbers of a version."""
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def dotted(version: Version) -> str:
    """Return a version as text."""
    return ".".join(map(str, version))

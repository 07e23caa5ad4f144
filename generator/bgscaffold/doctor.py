"""What is wrong with a project, and with the machine that it is on."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bgscaffold import __version__
from bgscaffold.existing import Existing, read
from bgscaffold.git import OLDEST
from bgscaffold.hiding import Hider, secrets_of
from bgscaffold.tested import FASTAPI

PROBE = Path(__file__).with_name("probe.py")
PATIENCE = 3.0  # seconds for a program that only tells its version
PROBING = 60.0  # seconds for all that the probe does, each part of which has a limit of its own
ANSWERS = ("_commit", "_src_path", "pattern", "project_name")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is and, unless it is well, what to do."""

    state: str  # "ok", "warn" or "FAIL"
    what: str
    detail: str
    remedy: str = ""


def examine(project: Existing) -> list[Finding]:
    """Look at everything, and hide every secret in what was found."""
    hidden = Hider(secrets_of(os.environ, read(project.root / ".env")))
    found = [*on_machine(), *of_template(project), *from_inside(project)]
    return [replace(each, detail=hidden(each.detail), remedy=hidden(each.remedy)) for each in found]


# ---- The machine ---------------------------------------------------------------------------------


def on_machine() -> Iterator[Finding]:
    """Look for the programs that a project needs."""
    lacking = "not on PATH, or it does not answer"
    uv = version_of("uv")
    get_uv = "python3 -m pip install uv, or: pipx install uv"
    yield Finding("ok", "uv", uv) if uv else Finding("FAIL", "uv", lacking, get_uv)
    git = version_of("git")
    get_git = "install git 2.31 or newer from https://git-scm.com/downloads"
    if not git:
        yield Finding("warn", "git", f"{lacking}; it is needed to create projects", get_git)
    elif numbers(git) < OLDEST:
        yield Finding("warn", "git", f"{git} is too old to create projects", get_git)
    else:
        yield Finding("ok", "git", git)


def version_of(program: str) -> str:
    """Return the version that a program says it has, '' if it does not."""
    path = shutil.which(program)
    if path is None:
        return ""
    options: dict[str, Any] = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run([path, "--version"], check=False, timeout=PATIENCE, **options)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else ""


def numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


# ---- The template --------------------------------------------------------------------------------


def of_template(project: Existing) -> Iterator[Finding]:
    """Look at the answers, and at the version that the project was made from."""
    missing = [key for key in ANSWERS if not project.answers.get(key)]
    backend = re.match(r'"""Pattern (\w+)', read(project.root / "app/background/backend.py"))
    restore = "restore .copier-answers.yml as it was committed"
    if missing:
        yield Finding("FAIL", "answers", f"without {', '.join(missing)}", restore)
    elif backend and backend[1] != project.pattern:
        told = f"they say {project.pattern}, app/background/ is of pattern {backend[1]}"
        yield Finding("FAIL", "answers", told, restore)
    else:
        yield Finding(
            "ok", "answers", f"{project.answers['project_name']}, pattern {project.pattern}"
        )
    yield compared(project.answers.get("_commit", ""))


def compared(commit: str) -> Finding:
    """Compare the version of the template with that of this bgscaffold."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", commit):
        return Finding(
            "ok", "template", f"{commit or 'unknown'}, no release, so it is not compared"
        )
    made, own = (tuple(map(int, v.split("."))) for v in (commit[1:], __version__))
    if made < own:
        told = f"{commit}, this bgscaffold has v{__version__}"
        return Finding("warn", "template", told, "bgscaffold update")
    if made > own:
        told = f"{commit}, newer than this bgscaffold, {__version__}"
        return Finding("warn", "template", told, "upgrade bgscaffold: uv tool upgrade bgscaffold")
    return Finding("ok", "template", f"{commit}, the same as this bgscaffold")


# ---- From inside ---------------------------------------------------------------------------------


def from_inside(project: Existing) -> Iterator[Finding]:
    """Let the project's own Python look at the rest."""
    try:
        tomllib.loads(read(project.root / "pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        yield Finding("FAIL", "pyproject", str(error), "mend pyproject.toml")
        return
    python = interpreter(project.root)
    if python is None:
        yield Finding("FAIL", "environment", "the project is not installed", "uv sync")
        return
    first, *others, complaint = probed(python, project.root)
    if not first:
        told = f"{python} does not work: {complaint}"
        yield Finding("FAIL", "environment", told, "remove .venv, then: uv sync")
        return
    yield from of_environment(python, first)
    yield from (Finding(**each) for each in others)
    if complaint:
        yield Finding("FAIL", "the rest", f"not looked at: {complaint}", "run it again")


def interpreter(root: Path) -> Path | None:
    """Return the Python of the project's environment, where uv has it."""
    chosen = [os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv", os.environ.get("VIRTUAL_ENV")]
    for place in filter(None, chosen):
        for inner in ("bin/python", "Scripts/python.exe"):
            if (root / place / inner).exists():
                return root / place / inner
    return None


def probed(python: Path, root: Path) -> list[Any]:
    """Return the facts, the findings, and last what the probe complained of, '' if of nothing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            process = subprocess.Popen(
                [python, "-I", "-X", "utf8", PROBE],
                cwd=root,
                env=environment(root, folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            return [{}, error.strerror or ""]
        try:
            out, err = process.communicate(timeout=PROBING)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\nno end within {PROBING:.0f} s"
    told = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
    failed = (err.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    return [*(told or [{}]), failed if process.returncode else ""]


def environment(root: Path, folder: str) -> dict[str, str]:
    """Return the variables for the probe: as under `poe dev`, unless ENVIRONMENT is set."""
    said = re.search(
        r"^\s*(export\s+)?ENVIRONMENT\s*=", read(root / ".env"), re.MULTILINE | re.IGNORECASE
    )
    development = {} if said else {"ENVIRONMENT": "development"}
    # The metrics of the application get a folder that is removed afterwards.
    return development | os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}


def of_environment(python: Path, facts: dict[str, Any]) -> Iterator[Finding]:
    """Judge what is installed."""
    if facts["missing"]:
        told = f"not installed: {', '.join(facts['missing'])}"
        yield Finding("FAIL", "environment", told, "uv sync")
    else:
        yield Finding("ok", "environment", f"Python {facts['python']}, {python.parent.parent}")
    if facts["fastapi"]:
        yield of_fastapi(facts["fastapi"])


def of_fastapi(version: str) -> Finding:
    """Judge whether this FastAPI ends a request in the order that tasks rely on."""
    oldest, newest = FASTAPI
    tested = f"tested from {dotted(oldest)} to {dotted(newest)}"
    if numbers(version) < oldest:
        return Finding(
            "FAIL",
            "fastapi",
            f"{version} is too old, {tested}",
            "uv sync --upgrade-package fastapi",
        )
    if numbers(version) > newest:
        told = f"{version} is newer than what the order of commit and response was {tested} on"
        return Finding("warn", "fastapi", told, "uv run poe test, which holds that order")
    return Finding("ok", "fastapi", f"{version}, {tested}")


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as text."""
    return ".".join(map(str, version))


# ---- What is said --------------------------------------------------------------------------------


def told(found: list[Finding]) -> str:
    """Return one line for each finding, with the remedy under it."""
    lines = []
    for each in found:
        lines.append(f"{each.state:<6}{each.what:<13}{each.detail}")
        lines += [f"{'':<19}remedy: {each.remedy}"] if each.remedy else []
    return "\n".join(lines)


def told_json(project: Existing, found: list[Finding]) -> str:
    """Return all of it as one JSON object."""
    return json.dumps(
        {
            "path": str(project.root),
            "pattern": project.pattern.value,
            "well": is_well(found),
            "checks": [asdict(each) for each in found],
        },
        indent=2,
    )


def is_well(found: list[Finding]) -> bool:
    """Tell whether nothing must be mended."""
    return all(each.state != "FAIL" for each in found)

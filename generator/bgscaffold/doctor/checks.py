"""What is wrong with a project, and with the machine that it is on."""

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from bgscaffold import __version__
from bgscaffold.doctor.redaction import Redactor, assignments, find_secrets
from bgscaffold.doctor.supported_versions import FASTAPI_RANGE
from bgscaffold.git.client import MINIMUM_VERSION
from bgscaffold.git.errors import RESOLVE_CONFLICTS
from bgscaffold.git.repository import conflicted_files, summarize_paths
from bgscaffold.project.project import Project, find_root, read_text
from bgscaffold.system.processes import last_line, run_with_timeout

PROBE = Path(__file__).with_name("probe.py")
VERSION_TIMEOUT = 3.0  # seconds for a program that only tells its version
DOTENV_TIMEOUT = 10.0  # seconds for a password manager, which may ask somebody first
PROBE_TIMEOUT = 60.0  # seconds for all that the probe does, each part of which has a limit of its own
MAX_DETAIL = 1_000  # characters of a detail
SIMILARITY = 0.85  # a misspelt name; 1 would be the same
BACKEND = "app/background/backend.py"
MARKERS = re.compile(r"^<{7} .*^>{7} ", re.MULTILINE | re.DOTALL)
FACTS = {"python", "fastapi", "missing"}
END = {"end": True}
FROM_PIPE = (
    "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read(1_000_000))"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is and, unless it is well, what to do."""

    state: str  # "ok", "warn" or "FAIL"
    what: str
    detail: str
    remedy: str = ""


def load_project(path: str) -> Project:
    """Return the project that a folder is in."""
    return Project.load(find_root(path))


def run_checks(project: Project) -> list[Finding]:
    """Look at everything, and hide every secret in what was found."""
    dotenv = read_dotenv(project.root / ".env")
    hidden = Redactor(find_secrets(os.environ, dotenv or ""))
    found = [
        *check_machine(),
        *check_repository(project.root),
        *check_template(project),
    ]
    if dotenv is None:  # nor is it known what is secret in it
        found.append(unreadable_dotenv())
    else:
        found += [
            *check_dotenv(project.root, dotenv),
            *check_from_inside(project, dotenv, hidden),
        ]
    return [
        replace(each, detail=truncate(hidden(each.detail)), remedy=hidden(each.remedy))
        for each in found
    ]


def truncate(text: str) -> str:
    """Return a text without its end, if it is longer than anybody reads."""
    return text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL]} ..."


def text_of(file: Path) -> str:
    """Return what a file holds; '' when it is none, for a pipe may have no end."""
    return read_text(file) if os.path.isfile(file) else ""


# ---- The machine ---------------------------------------------------------------------------------


def check_machine() -> Iterator[Finding]:
    """Look for the programs that a project needs."""
    lacking = "not on PATH, or it does not answer"
    uv = program_version("uv")
    get_uv = "python3 -m pip install uv, or: pipx install uv"
    yield Finding("ok", "uv", uv) if uv else Finding("FAIL", "uv", lacking, get_uv)
    git = program_version("git")
    get_git = "install git 2.38 or newer from https://git-scm.com/downloads"
    if not git:
        yield Finding(
            "warn", "git", f"{lacking}; it is needed to create projects", get_git
        )
    elif version_numbers(git) < MINIMUM_VERSION:
        yield Finding("warn", "git", f"{git} is too old to create projects", get_git)
    else:
        yield Finding("ok", "git", git)


def program_version(program: str) -> str:
    """Return the version that a program says it has, '' if it does not."""
    path = shutil.which(program)
    if path is None:
        return ""
    options: dict[str, Any] = {
        "capture_output": True,
        "text": True,
        "stdin": subprocess.DEVNULL,
    }
    try:
        done = subprocess.run(
            [path, "--version"], check=False, timeout=VERSION_TIMEOUT, **options
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else ""


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


# ---- The repository ------------------------------------------------------------------------------


def check_repository(root: Path) -> Iterator[Finding]:
    """Look for conflicts that a promote, an update or another merge has left."""
    if files := conflicted_files(root):
        yield Finding(
            "FAIL",
            "conflicts",
            f"not settled: {summarize_paths(files)}",
            RESOLVE_CONFLICTS,
        )


# ---- The template --------------------------------------------------------------------------------


def check_template(project: Project) -> Iterator[Finding]:
    """Look at the answers, and at the version that the project was made from."""
    if not (project.root / BACKEND).is_file():
        yield Finding(
            "FAIL", "backend", f"{BACKEND} is not there", restore_command(BACKEND)
        )
    if wrong := answers_problem(project):
        restore = "restore .copier-answers.yml as it was committed"
        yield Finding("FAIL", "answers", wrong, restore)
    else:
        told = f"{project.answers.values['project_name']}, pattern {project.pattern}"
        yield Finding("ok", "answers", told)
    yield check_template_version(project.commit)


def answers_problem(project: Project) -> str:
    """Return what is wrong with the answers, '' when nothing is."""
    if not project.answers.values.get("project_name"):
        return "without project_name"
    backend = re.match(r'"""Pattern (\w+)', text_of(project.root / BACKEND))
    if backend and backend[1] != project.pattern:
        return f"they say {project.pattern}, app/background/ is of pattern {backend[1]}"
    return ""


def restore_command(file: str) -> str:
    """Return how a file comes back."""
    return f"restore it as it was committed: git checkout HEAD -- {file}"


def check_template_version(commit: str) -> Finding:
    """Compare the version of the template with that of this bgscaffold."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", commit):
        return Finding(
            "ok",
            "template",
            f"{commit or 'unknown'}, no release, so it is not compared",
        )
    made, own = (tuple(map(int, v.split("."))) for v in (commit[1:], __version__))
    if made < own:
        told = f"{commit}, this bgscaffold has v{__version__}"
        return Finding("warn", "template", told, "bgscaffold update")
    if made > own:
        told = f"{commit}, newer than this bgscaffold, {__version__}"
        return Finding(
            "warn", "template", told, "upgrade bgscaffold: uv tool upgrade bgscaffold"
        )
    return Finding("ok", "template", f"{commit}, the same as this bgscaffold")


# ---- The settings ---------------------------------------------------------------------------------


def read_dotenv(file: Path) -> str | None:
    """Return what .env holds, None when it is a pipe that gives nothing."""
    if not file.is_fifo():
        return text_of(file)
    command: list[str | Path] = [sys.executable, "-I", "-c", FROM_PIPE, file]
    done = run_with_timeout(command, DOTENV_TIMEOUT)
    return done.stdout if done.status == "exit code 0" else None


def unreadable_dotenv() -> Finding:
    """Return what is to be said of a .env that gives nothing."""
    told = f"it is a pipe that gives nothing within {DOTENV_TIMEOUT:g} s, and the application may wait, too"
    remedy = "start what writes into it, and run it again; or put a file in its place"
    return Finding("FAIL", ".env", f"{told}; the rest was not looked at", remedy)


def check_dotenv(root: Path, dotenv: str) -> Iterator[Finding]:
    """Look in .env for names that are nearly those of settings."""
    if is_special_file(root / ".env") and not (root / ".env").is_fifo():
        told = "it is no regular file, and was not read"
        yield Finding("warn", ".env", told, "put a file in its place")
    example = text_of(root / ".env.example")
    known = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE))
    given = {name.upper(): name for name, _value in assignments(dotenv)}
    near = {
        given[name]: closest_setting(name, known) for name in given if name not in known
    }
    typos = {
        name: meant
        for name, meant in near.items()
        if meant and not is_mentioned(name, root)
    }
    if typos:
        told = f"no setting is called {', '.join(typos)}"
        remedy = f"if you mean {', '.join(dict.fromkeys(typos.values()))}, write that"
        yield Finding("warn", ".env", told, remedy)


def is_special_file(file: Path) -> bool:
    """Tell whether something that is no file stands in the place of one."""
    return file.exists() and not file.is_file()


def closest_setting(name: str, known: Iterable[str]) -> str:
    """Return the setting that a name is nearly, '' for a name that says something more."""
    words = name.count("_")
    similar = [setting for setting in sorted(known) if setting.count("_") >= words]
    return next(iter(difflib.get_close_matches(name, similar, 1, SIMILARITY)), "")


def is_mentioned(name: str, root: Path) -> bool:
    """Tell whether the application's own code speaks of a name."""
    word = re.compile(rf"\b{name}\b", re.IGNORECASE)
    return any(word.search(text_of(file)) for file in root.glob("app/**/*.py"))


# ---- From inside ---------------------------------------------------------------------------------


def check_from_inside(
    project: Project, dotenv: str, hidden: Redactor
) -> Iterator[Finding]:
    """Let the project's own Python look at the rest."""
    if complaint := check_pyproject(project.root / "pyproject.toml"):
        yield complaint
        return
    python = interpreter(project.root)
    if python is None:
        yield Finding("FAIL", "environment", "the project is not installed", "uv sync")
        return
    probed = run_probe(python, project.root, dotenv, hidden)
    if probed.facts is None:
        told = f"{python} does not work: {probed.printed or probed.end}"
        yield Finding("FAIL", "environment", told, "remove .venv, then: uv sync")
        return
    yield from check_environment(python, probed.facts)
    yield from probed.findings
    if not probed.ended:
        yield unfinished_finding(probed)


def check_pyproject(file: Path) -> Finding | None:
    """Return what is wrong with a pyproject.toml, None when it can be used."""
    if is_special_file(file):
        told = f"{file.name} is no regular file"
        return Finding("FAIL", "pyproject", told, restore_command(file.name))
    if MARKERS.search(read_text(file)):
        told = "it holds the markers of a merge conflict"
        return Finding(
            "FAIL", "pyproject", told, f"settle it, then: git add {file.name}"
        )
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project")
    except FileNotFoundError:
        return Finding(
            "FAIL", "pyproject", f"{file.name} is not there", restore_command(file.name)
        )
    except (OSError, ValueError) as error:  # what is no TOML, and no UTF-8
        return Finding("FAIL", "pyproject", str(error), "mend pyproject.toml")
    listed = project.get("dependencies") if isinstance(project, dict) else None
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
        return None
    told = "[project] has no list of dependencies"
    return Finding("FAIL", "pyproject", told, "mend pyproject.toml")


@dataclass(frozen=True)
class ProbeResult:
    """What the probe has told."""

    facts: dict[str, Any] | None  # None when it has told nothing at all
    findings: list[Finding]
    looking: str  # at what it looked last
    ended: bool  # as it should
    end: str  # how it ended
    printed: str  # the last line of what else was printed


def unfinished_finding(probed: ProbeResult) -> Finding:
    """Return what is to be said when the project has put an end to the probe."""
    if not probed.looking or probed.looking in [each.what for each in probed.findings]:
        told = f"not looked at: {probed.printed or probed.end}"
        return Finding("FAIL", "the rest", told, "run it again")
    printed = f"; the last that was printed: {probed.printed}" if probed.printed else ""
    told = f"{probed.end} while this was looked at, and what comes after{printed}"
    remedy = "see what the modules of app/ do when they are imported"
    return Finding("FAIL", probed.looking, told, remedy)


def interpreter(root: Path) -> Path | None:
    """Return the Python of the project's environment, where uv has it."""
    chosen = [
        os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv",
        os.environ.get("VIRTUAL_ENV"),
    ]
    for place in filter(None, chosen):
        for inner in ("bin/python", "Scripts/python.exe"):
            if (root / place / inner).exists():
                return root / place / inner
    return None


def run_probe(python: Path, root: Path, dotenv: str, hidden: Redactor) -> ProbeResult:
    """Let a project's Python run the probe, and take down what it tells."""
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [python, "-I", "-X", "utf8", PROBE]
        try:
            env = probe_env(dotenv, folder)
            done = run_with_timeout(command, PROBE_TIMEOUT, cwd=root, env=env)
        except OSError as error:
            return ProbeResult(None, [], "", False, error.strerror or "", "")
    told = [
        said for line in done.stdout.splitlines() if (said := parse_json_line(line))
    ]
    looked = [each["looking"] for each in told if each.keys() == {"looking"}]
    return ProbeResult(
        facts=next((each for each in told if each.keys() == FACTS), None),
        findings=[Finding(**each) for each in told if is_finding(each)],
        looking=looked[-1] if looked else "",
        ended=END in told,
        end=done.status,
        printed=last_line(done.stderr, hidden),
    )


def parse_json_line(line: str) -> dict[str, Any]:
    """Return the object that a line is; of what the application writes between, an empty one."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def is_finding(told: dict[str, Any]) -> bool:
    """Tell whether an object is one of the probe's findings."""
    names = {field.name for field in fields(Finding)}
    return told.keys() == names and all(isinstance(each, str) for each in told.values())


def probe_env(dotenv: str, folder: str) -> dict[str, str]:
    """Return the variables for the probe: as under `poe dev`, unless ENVIRONMENT is set."""
    said = re.search(
        r"^\s*(export\s+)?ENVIRONMENT\s*=", dotenv, re.MULTILINE | re.IGNORECASE
    )
    development = {} if said else {"ENVIRONMENT": "development"}
    # The metrics of the application get a folder that is removed afterwards.
    return development | os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}


def check_environment(python: Path, facts: dict[str, Any]) -> Iterator[Finding]:
    """Judge what is installed."""
    if facts["missing"]:
        told = f"not installed: {', '.join(facts['missing'])}"
        yield Finding("FAIL", "environment", told, "uv sync")
    else:
        yield Finding(
            "ok", "environment", f"Python {facts['python']}, {python.parent.parent}"
        )
    if facts["fastapi"]:
        yield check_fastapi(facts["fastapi"])


def check_fastapi(version: str) -> Finding:
    """Judge whether this FastAPI ends a request in the order that tasks rely on."""
    oldest, newest = FASTAPI_RANGE
    tested = f"tested from {dotted(oldest)} to {dotted(newest)}"
    if version_numbers(version) < oldest:
        return Finding(
            "FAIL",
            "fastapi",
            f"{version} is too old, {tested}",
            "uv sync --upgrade-package fastapi",
        )
    if version_numbers(version) > newest:
        told = f"{version} is newer than what the order of commit and response was {tested} on"
        return Finding(
            "warn", "fastapi", told, "uv run poe test, which holds that order"
        )
    return Finding("ok", "fastapi", f"{version}, {tested}")


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as text."""
    return ".".join(map(str, version))


# ---- What is said --------------------------------------------------------------------------------


def format_findings(found: list[Finding]) -> str:
    """Return one line for each finding, with the remedy under it."""
    lines = []
    for each in found:
        lines.append(f"{each.state:<6}{each.what:<13}{each.detail}")
        lines += [f"{'':<19}remedy: {each.remedy}"] if each.remedy else []
    return "\n".join(lines)


def format_findings_json(project: Project, found: list[Finding]) -> str:
    """Return all of it as one JSON object."""
    return json.dumps(
        {
            "path": str(project.root),
            "pattern": project.pattern.value,
            "well": has_no_failures(found),
            "checks": [asdict(each) for each in found],
        },
        indent=2,
    )


def has_no_failures(found: list[Finding]) -> bool:
    """Tell whether nothing must be mended."""
    return all(each.state != "FAIL" for each in found)

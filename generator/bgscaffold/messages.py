"""What bgscaffold says when it has done something."""

import json
import shlex
import shutil
from pathlib import Path

from bgscaffold.new import Created, Repository
from bgscaffold.patterns import PROMISES, RECORDS

GET_UV = "python3 -m pip install uv"

REPOSITORY = {
    Repository.COMMITTED: "Its files are the first commit of a new git repository.",
    Repository.COMMITTED_AS_BGSCAFFOLD: (
        "Its files are the first commit of a new git repository, in the name of bgscaffold:"
        " git has no user.name and user.email here."
    ),
    Repository.NOT_WANTED: "It has no git repository (--no-git).",
    Repository.OUTER: "It lies in a git repository already, so it got none of its own; commit it there.",
}


def created(done: Created, *, chosen: bool) -> str:
    """Say what was created, what comes next, and how to get the same again."""
    project = done.project
    default = "" if chosen else " (the default; `bgscaffold patterns` shows all four)"
    return "\n".join(
        [
            f"Created {project.name} in {project.destination}, pattern {project.pattern}{default}.",
            REPOSITORY[done.repository],
            "",
            "Next:",
            *(f"  {command:<35} {purpose}".rstrip() for command, purpose in next_steps(done)),
            "",
            "Where your code goes: app/<domain>/tasks.py and app/<domain>/router.py",
            f"The same again: {equivalent(done)}",
        ]
    )


def next_steps(done: Created) -> list[tuple[str, str]]:
    """Return the commands that were not run yet, each with what it does."""
    get_uv = [] if shutil.which("uv") else [(GET_UV, "get uv (or: pipx install uv)")]
    here = from_here(done.project.destination)
    return [
        *get_uv,
        *([] if here == "." else [(f"cd {shlex.quote(here)}", "")]),
        ("uv run poe dev", RECORDS[done.project.pattern].dev),
        ("uv run poe test", "run its tests"),
    ]


def equivalent(done: Created) -> str:
    """Return the command that creates the same project without a default or a question."""
    project = done.project
    options = [f"--pattern={project.pattern}", f"--ci={project.ci}"]
    options += ["--with-ai"] if project.ai else []
    options += ["--with-schedule"] if project.schedule else []
    options += ["--no-git"] if done.repository is Repository.NOT_WANTED else []
    options += ["--install"] if done.installed else []
    return shlex.join(["bgscaffold", "new", from_here(project.destination), *options])


def from_here(folder: Path) -> str:
    """Return the shorter spelling of a folder's path."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def created_json(done: Created) -> str:
    """Return all of it as one JSON object."""
    project = done.project
    facts = {
        **project.answers,
        "path": str(project.destination),
        "commit": done.commit,
        "repository": done.repository.value,
        "installed": done.installed,
        "next_steps": [command for command, _purpose in next_steps(done)],
        "command": equivalent(done),
    }
    return json.dumps(facts, indent=2)


def patterns() -> str:
    """Return the table of what each pattern promises."""
    titles = [f"{pattern:<8}{record.title}" for pattern, record in RECORDS.items()]
    rows = zip(PROMISES, *(record.promises for record in RECORDS.values()), strict=True)
    table = [row("", *RECORDS), *(row(*cells) for cells in rows)]
    once = "At least once: after a crash a task may run twice, so write tasks that bear it."
    return "\n".join([*titles, "", *table, "", once])


def row(promise: str, *cells: str) -> str:
    """Return one line of the table."""
    return f"{promise:<38}{''.join(f'{cell:<16}' for cell in cells)}".rstrip()

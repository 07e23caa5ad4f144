"""What bgscaffold says when it has done something."""

import json
import shlex
import shutil

from bgscaffold.new.create import GitOutcome, NewProject
from bgscaffold.patterns import PROMISES, RECORDS
from bgscaffold.system.console import relative_to_cwd

GET_UV = "python3 -m pip install uv"

REPOSITORY = {
    GitOutcome.COMMITTED: "Its files are the first commit of a new git repository.",
    GitOutcome.COMMITTED_AS_BGSCAFFOLD: (
        "Its files are the first commit of a new git repository, in the name of bgscaffold:"
        " git has no user.name and user.email here."
    ),
    GitOutcome.NOT_WANTED: "It has no git repository (--no-git).",
    GitOutcome.OUTER: "It lies in a git repository already, so it got none of its own; commit it there.",
}


def new_project_text(done: NewProject, *, chosen: bool) -> str:
    """Say what was created, what comes next, and how to get the same again."""
    project = done.project
    default = "" if chosen else " (the default; `bgscaffold patterns` shows all four)"
    return "\n".join(
        [
            f"Created {project.name} in {project.destination}, pattern {project.pattern}{default}.",
            REPOSITORY[done.repository],
            "",
            "Next:",
            *(
                f"  {command:<35} {purpose}".rstrip()
                for command, purpose in next_steps(done)
            ),
            "",
            "Where your code goes: app/<domain>/tasks.py and app/<domain>/router.py",
            f"The same again: {equivalent_command(done)}",
        ]
    )


def next_steps(done: NewProject) -> list[tuple[str, str]]:
    """Return the commands that were not run yet, each with what it does."""
    get_uv = [] if shutil.which("uv") else [(GET_UV, "get uv (or: pipx install uv)")]
    here = relative_to_cwd(done.project.destination)
    return [
        *get_uv,
        *([] if here == "." else [(f"cd {shlex.quote(here)}", "")]),
        ("uv run poe dev", RECORDS[done.project.pattern].dev),
        ("uv run poe test", "run its tests"),
    ]


def equivalent_command(done: NewProject) -> str:
    """Return the command that creates the same project without a default or a question."""
    project = done.project
    options = [f"--pattern={project.pattern}", f"--ci={project.ci}"]
    options += ["--with-ai"] if project.ai else []
    options += ["--with-schedule"] if project.schedule else []
    options += ["--no-git"] if done.repository is GitOutcome.NOT_WANTED else []
    options += ["--install"] if done.installed else []
    return shlex.join(
        ["bgscaffold", "new", relative_to_cwd(project.destination), *options]
    )


def new_project_json(done: NewProject) -> str:
    """Return all of it as one JSON object."""
    project = done.project
    facts = {
        **project.answers,
        "path": str(project.destination),
        "commit": done.commit,
        "repository": done.repository.value,
        "installed": done.installed,
        "next_steps": [command for command, _purpose in next_steps(done)],
        "command": equivalent_command(done),
    }
    return json.dumps(facts, indent=2)


def patterns_table() -> str:
    """Return the table of what each pattern promises."""
    titles = [f"{pattern:<8}{record.title}" for pattern, record in RECORDS.items()]
    rows = zip(PROMISES, *(record.promises for record in RECORDS.values()), strict=True)
    table = [table_row("", *RECORDS), *(table_row(*cells) for cells in rows)]
    once = "At least once: after a crash a task may run twice, so write tasks that bear it."
    return "\n".join([*titles, "", *table, "", once])


def table_row(promise: str, *cells: str) -> str:
    """Return one line of the table."""
    return f"{promise:<38}{''.join(f'{cell:<16}' for cell in cells)}".rstrip()

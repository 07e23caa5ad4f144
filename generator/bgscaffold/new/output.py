"""The output of `bgscaffold new` and `bgscaffold patterns`."""

import json
import shlex
import shutil
from dataclasses import fields

from bgscaffold.new.create import GitOutcome, NewProject
from bgscaffold.patterns import RECORDS, Promises
from bgscaffold.system.console import relative_to_cwd

GET_UV = "python3 -m pip install uv"
DEFAULT_NOTE = " (the default; `bgscaffold patterns` shows all four)"
AT_LEAST_ONCE = (
    "Delivery is at least once: after a crash a task may run twice, so make it"
    " idempotent."
)

GIT = {
    GitOutcome.COMMITTED: "Its files are the first commit of a new git repository.",
    GitOutcome.COMMITTED_AS_BGSCAFFOLD: (
        "Its files are the first commit of a new git repository. The author is"
        " bgscaffold, because git has no user.name and user.email here."
    ),
    GitOutcome.NOT_WANTED: "It has no git repository (--no-git).",
    GitOutcome.OUTER: (
        "The target is inside an existing git repository, so none was created."
        " Commit the files there."
    ),
}


def new_project_text(created: NewProject, *, is_default: bool) -> str:
    """Return what was created, the next steps and the equivalent command."""
    spec = created.spec
    default = DEFAULT_NOTE if is_default else ""
    place = f"in {spec.destination}, pattern {spec.pattern}{default}"
    steps = [f"  {step:<35} {purpose}" for step, purpose in next_steps(created)]
    return "\n".join(
        [
            f"Created {spec.name} {place}.",
            GIT[created.git],
            "",
            "Next:",
            *(step.rstrip() for step in steps),
            "",
            "Your code goes into app/<domain>/tasks.py and app/<domain>/router.py.",
            f"Equivalent command: {equivalent_command(created)}",
        ]
    )


def new_project_json(created: NewProject) -> str:
    """Return the same facts as one JSON object."""
    facts = {
        **created.spec.answers,
        "path": str(created.spec.destination),
        "commit": created.version,
        "repository": created.git.value,
        "installed": created.installed,
        "next_steps": [step for step, _purpose in next_steps(created)],
        "command": equivalent_command(created),
    }
    return json.dumps(facts, indent=2)


def next_steps(created: NewProject) -> list[tuple[str, str]]:
    """Return the commands to run next, each with what it does."""
    spec = created.spec
    steps = []
    if not shutil.which("uv"):
        steps.append((GET_UV, "get uv (or: pipx install uv)"))
    folder = relative_to_cwd(spec.destination)
    if folder != ".":
        steps.append((f"cd {shlex.quote(folder)}", ""))
    steps.append(("uv run poe dev", RECORDS[spec.pattern].dev))
    steps.append(("uv run poe test", "run its tests"))
    return steps


def equivalent_command(created: NewProject) -> str:
    """Return the command that creates the same project without a question."""
    spec = created.spec
    flags = {
        "--with-ai": spec.ai,
        "--with-schedule": spec.schedule,
        "--no-git": created.git is GitOutcome.NOT_WANTED,
        "--install": created.installed,
    }
    options = [f"--pattern={spec.pattern}", f"--ci={spec.ci}"]
    options += [flag for flag, is_set in flags.items() if is_set]
    path = relative_to_cwd(spec.destination)
    return shlex.join(["bgscaffold", "new", path, *options])


def patterns_table() -> str:
    """Return what each pattern promises, as a table."""
    titles = [f"{pattern:<8}{record.title}" for pattern, record in RECORDS.items()]
    rows = [table_row("", *RECORDS)]
    for field in fields(Promises):
        promises = (record.promises for record in RECORDS.values())
        cells = [getattr(each, field.name) for each in promises]
        rows.append(table_row(field.metadata["title"], *cells))
    return "\n".join([*titles, "", *rows, "", AT_LEAST_ONCE])


def table_row(title: str, *cells: str) -> str:
    """Return a line of the table."""
    columns = "".join(f"{cell:<17}" for cell in cells)
    return f"{title:<35}{columns}".rstrip()

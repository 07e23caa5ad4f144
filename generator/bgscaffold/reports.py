"""What promote and update say: what changed, what conflicts, what comes next, how to undo it."""

import json
import shlex
from dataclasses import asdict, replace

from bgscaffold.declared import packages
from bgscaffold.evolve import Evolved
from bgscaffold.merge import Change
from bgscaffold.messages import from_here
from bgscaffold.patterns import RECORDS, Pattern

UNDO = "git reset --hard"

# How each kind of conflict is settled; the kinds are called as `git status --short` calls them.
SETTLE = {
    "UU": "Both sides changed the same lines. Edit it between the markers, then: git add {path}",
    "AA": "Both sides added it. Edit it between the markers, then: git add {path}",
    "UD": "You edited it, and the new version has no such file. Yours is kept."
    " To keep it: git add {path}. To let it go: git rm {path}",
    "UA": "The new version brings it where you moved or removed something."
    " To take it: git add {path}. To leave it out: git rm {path}",
    "AU": "Yours, set aside for something new of the same name."
    " To keep it: git add {path}. To let it go: git rm {path}",
    "DD": "Both sides moved or removed it. To agree: git rm {path}",
}

PRODUCTION = {
    Pattern.SAFE: "On more than one machine set DATABASE_URL to a PostgreSQL.",
    Pattern.CELERY: "In production set BROKER_URL (Redis or RabbitMQ) and DATABASE_URL (PostgreSQL),"
    " and start a worker and beat beside the API.",
}


def evolved(done: Evolved) -> str:
    """Say what became of a project, or would become of it."""
    if done.nothing_to_do:
        return nothing_to_do(done)
    paragraphs = [
        headline(done),
        files(done),
        left_alone(done),
        conflicts(done),
        "\n".join(notes(done)),
        "\n".join(["Next:", *(f"  {do:<36}{why}".rstrip() for do, why in next_steps(done))]),
        last_lines(done),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def nothing_to_do(done: Evolved) -> str:
    """Say that the project is there already."""
    project = done.project
    return f"Nothing to do: {project.name} has pattern {project.pattern}, version {project.commit}."


def headline(done: Evolved) -> str:
    """Say in one line what was done."""
    project, goal = done.project, done.goal
    if goal.pattern is project.pattern:
        way = f"{project.name} from {project.commit} to {goal.commit}"
        return f"Would update {way}:" if done.dry_run else f"Updated {way}; not committed yet:"
    way = f"{project.name} from {project.pattern} to {goal.pattern}"
    return f"Would promote {way}:" if done.dry_run else f"Promoted {way}; not committed yet:"


def files(done: Evolved) -> str:
    """List what became of each file, and the sum of it."""
    changes = [replace(change, path=done.shown(change.path)) for change in done.merged.changes]
    width = max((len(change.path) for change in changes), default=0)
    added, removed = (sum(getattr(each, side) for each in changes) for side in ("added", "removed"))
    total = f"{len(changes)} files, {added} lines added, {removed} removed."
    return "\n".join([*(line(change, width) for change in changes), total])


def line(change: Change, width: int) -> str:
    """Return the line about one file."""
    added = f"+{change.added}" if change.added else ""
    removed = f"-{change.removed}" if change.removed else ""
    return f"  {change.kind}  {change.path:<{width}} {added:>6} {removed:>6}".rstrip()


def left_alone(done: Evolved) -> str:
    """List what the merge did not bring, or brought without git."""
    deleted = [
        f"  {done.shown(path)}: changed by this, but you have deleted it; it stays deleted"
        for path in done.merged.stay_deleted
    ]
    return "\n".join([*deleted, *(f"  {path}: written; git ignores it" for path in done.written)])


def conflicts(done: Evolved) -> str:
    """List the conflicts, each with the way to settle it."""
    found = settled(done)
    return "\n".join(
        ["Conflicts:", *(f"  {kind}  {path}\n      {how}" for kind, path, how in found)]
        if found
        else []
    )


def settled(done: Evolved) -> list[tuple[str, str, str]]:
    """Return each conflict's kind and path, and the way to settle it."""
    shown = [(kind, done.shown(path)) for path, kind in done.merged.conflicts.items()]
    return [(kind, path, SETTLE[kind].format(path=shlex.quote(path))) for kind, path in shown]


def notes(done: Evolved) -> list[str]:
    """Return what the user has to know before this is deployed."""
    moved = done.goal.pattern is not done.project.pattern
    told = [
        f"New settings, explained in .env.example: {', '.join(done.new_settings)}."
        if done.new_settings
        else "",
        f"Settings that nothing reads any more: {', '.join(done.gone_settings)}."
        if done.gone_settings
        else "",
        PRODUCTION.get(done.goal.pattern, "") if moved else "",
        open_tasks(done.project.pattern, done.goal.pattern) if moved else "",
        renamed_package(done),
    ]
    return [note for note in told if note]


def open_tasks(old: Pattern, new: Pattern) -> str:
    """Say what becomes of the tasks that the running version has accepted and not finished."""
    if not RECORDS[old].durable:
        return "Open tasks: the old version finishes them at SIGTERM, within SHUTDOWN_GRACE."
    if RECORDS[new].durable:
        return f"Open tasks: their rows stay, and {new} runs them. Stop the old version first."
    return (
        f"Open tasks: {new} does not run the rows of {old}. Before you stop the old version, send it"
        " no more requests and wait\n  until GET /tasks?state=pending, ?state=retrying and"
        " ?state=running list none (with ADMIN_TOKEN). Rows that are left\n  stay in the table"
        " task_runs, and run after a promote back."
    )


def renamed_package(done: Evolved) -> str:
    """Say that new files do not know how the user calls the package."""
    names = [package.name for package in packages(done.project.folder)]
    if "app" in names or not names:
        return ""
    return f"Your package is called {names[0]}; what is new imports from app: change that."


def next_steps(done: Evolved) -> list[tuple[str, str]]:
    """Return the commands to run now, each with what it does."""
    here = from_here(done.project.folder)
    go = [] if here == "." else [(f"cd {shlex.quote(here)}", "")]
    if done.dry_run:
        return [(command(done), "do it")]
    changed = {done.shown(change.path) for change in done.merged.changes}
    durable = RECORDS[done.goal.pattern].durable and not RECORDS[done.project.pattern].durable
    migrated = durable or any("/migrations/versions/" in path for path in changed)
    return [
        *go,
        *([("git status", "until every conflict is settled")] if done.merged.conflicts else []),
        *(
            [("uv sync", "install what pyproject.toml asks for now")]
            * ("pyproject.toml" in changed)
        ),
        *([("uv run poe migrate", "PostgreSQL only; SQLite migrates itself")] * migrated),
        ("uv run poe test", "run its tests"),
        ("git commit", "keep it; git has a message ready"),
    ]


def last_lines(done: Evolved) -> str:
    """Say how to take it back, or that nothing has to be."""
    if done.dry_run:
        return "Nothing was changed."
    return f"Undo all of it: {UNDO}\nThe same again: {command(done)}"


def command(done: Evolved) -> str:
    """Return the command that does the same, without a dry run."""
    here = from_here(done.project.folder)
    path = [] if here == "." else [here]
    if done.goal.pattern is done.project.pattern:
        words = ["update", *path, f"--to={done.goal.commit}"]
    else:
        words = ["promote", done.goal.pattern.value, *path]
    return shlex.join(["bgscaffold", *words])


def evolved_json(done: Evolved) -> str:
    """Return all of it as one JSON object."""
    project, goal = done.project, done.goal
    paths = [asdict(replace(each, path=done.shown(each.path))) for each in done.merged.changes]
    facts = {
        "project_name": project.name,
        "path": str(project.folder),
        "from": {"pattern": project.pattern.value, "commit": project.commit},
        "to": {"pattern": goal.pattern.value, "commit": goal.commit},
        "dry_run": done.dry_run,
        "changes": paths,
        "conflicts": [
            {"kind": kind, "path": path, "settle": how} for kind, path, how in settled(done)
        ],
        "stay_deleted": [done.shown(path) for path in done.merged.stay_deleted],
        "written": done.written,
        "notes": notes(done),
        "next_steps": [step for step, _why in next_steps(done)],
        "undo": UNDO,
        "command": command(done),
    }
    return json.dumps(facts, indent=2)

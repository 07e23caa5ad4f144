"""What promote and update say: what changed, what conflicts, what comes next, how to undo it."""

import json
import shlex
from dataclasses import asdict, replace
from pathlib import PurePosixPath
from textwrap import fill

from bgscaffold.analysis.migrations import MigrationDivergence, alternative_revision
from bgscaffold.analysis.syntax import application_packages
from bgscaffold.features import feature_titles
from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.system.console import relative_to_cwd
from bgscaffold.upgrade.command import UpgradeReport
from bgscaffold.upgrade.merge import Change

UNDO = "git reset --hard"
MERGE_HEADS = "uv run alembic merge heads"

# Why each kind of conflict is one, and how it is settled; `git status --short` calls them so too.
KEEP_OR_NOT = "to keep it: git add {path}; to let it go: git rm {path}"
CONFLICT_HELP = {
    "UU": (
        "both sides changed the same lines",
        "edit it between the markers, then: git add {path}",
    ),
    "AA": ("both sides added it", "edit it between the markers, then: git add {path}"),
    "UD": (
        "you edited it, the new version has no such file; yours is kept",
        KEEP_OR_NOT,
    ),
    "UA": ("new, where you moved or removed something", KEEP_OR_NOT),
    "AU": ("yours, where the new version has something else", KEEP_OR_NOT),
    "DD": ("both sides moved or removed it", "to agree: git rm {path}"),
}

PAST = {"promote": "promoted", "update": "updated", "add": "added"}
PRODUCTION = {
    Pattern.SAFE: "On more than one machine set DATABASE_URL to a PostgreSQL.",
    Pattern.CELERY: "In production set BROKER_URL (Redis or RabbitMQ) and DATABASE_URL (PostgreSQL),"
    " and start a worker and beat beside the API.",
}


def report_text(done: UpgradeReport) -> str:
    """Say what became of a project, or would become of it."""
    if done.nothing_to_do:
        return nothing_to_do(done)
    paragraphs = [
        headline(done),
        files(done),
        left_alone(done),
        conflicts(done),
        "\n".join(
            ["Before it runs:", *map(wrapped, told)] if (told := notes(done)) else []
        ),
        steps("Next:", next_steps(done)),
        last_lines(done),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def steps(title: str, commands: list[tuple[str, str]]) -> str:
    """Return commands under a title, each with what it does."""
    width = max([34, *(len(do) for do, why in commands if why)])
    return "\n".join(
        [title, *(f"  {do:<{width}}  {why}".rstrip() for do, why in commands)]
    )


def nothing_to_do(done: UpgradeReport) -> str:
    """Say that the project is there already."""
    project = done.project
    has = f", with {feature_titles(project.overlays)}" if project.overlays else ""
    facts = f"pattern {project.pattern}, version {project.commit}{has}"
    return f"Nothing to do: {project.name} has {facts}."


def headline(done: UpgradeReport) -> str:
    """Say in one line what was done."""
    number = len(done.merged.conflicts)
    counted = f", with {number} conflict{'s' * (number > 1)}" if number else ""
    if done.dry_run:
        would = " and ".join(f"{verb} {what}" for verb, what in actions(done))
        return f"Would {would}{counted}:"
    did = " and ".join(f"{PAST[verb]} {what}" for verb, what in actions(done))
    return f"{did[0].upper()}{did[1:]}{counted}; not committed yet:"


def actions(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return what is done to a project: verbs, each with its object."""
    project, goal = done.project, done.goal
    if is_promote(done):
        return [("promote", f"{project.name} from {project.pattern} to {goal.pattern}")]
    if goal.commit == project.commit:
        return [("add", f"{feature_titles(goal.added)} to {project.name}")]
    moved = ("update", f"{project.name} from {project.commit} to {goal.commit}")
    return [moved, ("add", feature_titles(goal.added))] if goal.added else [moved]


def is_promote(done: UpgradeReport) -> bool:
    """Tell promote from update."""
    return done.goal.pattern is not done.project.pattern


def files(done: UpgradeReport) -> str:
    """List what became of each file, and the sum of it."""
    changes = [
        replace(change, path=done.shown(change.path)) for change in done.merged.changes
    ]
    width = max((len(change.path) for change in changes), default=0)
    added, removed = (
        sum(getattr(each, side) for each in changes) for side in ("added", "removed")
    )
    total = f"{len(changes)} files, {added} lines added, {removed} removed."
    return "\n".join([*(line(change, width) for change in changes), total])


def line(change: Change, width: int) -> str:
    """Return the line about one file."""
    added = f"+{change.added}" if change.added else ""
    removed = f"-{change.removed}" if change.removed else ""
    return f"  {change.kind}  {change.path:<{width}} {added:>6} {removed:>6}".rstrip()


def left_alone(done: UpgradeReport) -> str:
    """List what the merge did not bring, or brought without git."""
    deleted = [
        f"  {done.shown(path)}: changed by this, but you have deleted it; it stays deleted"
        for path in done.merged.stay_deleted
    ]
    return "\n".join(
        [
            *deleted,
            *(
                f"  {path}: written where it was missing; not staged"
                for path in done.written
            ),
        ]
    )


def conflicts(done: UpgradeReport) -> str:
    """List the conflicts, each with its reason and the way to settle it."""
    lines = [
        f"  {each['kind']}  {each['path']}\n      {each['reason']}\n      {each['settle']}"
        for each in conflict_details(done)
    ]
    return "\n".join(
        ["Conflicts, to settle before the commit:", *lines] if lines else []
    )


def conflict_details(done: UpgradeReport) -> list[dict[str, str]]:
    """Return each conflict with its kind, its reason and the way to settle it."""
    found = []
    for where, kind in done.merged.conflicts.items():
        path = done.shown(where)
        reason, settle = CONFLICT_HELP[kind]
        how = settle.format(path=shlex.quote(path))
        found.append({"kind": kind, "path": path, "reason": reason, "settle": how})
    return found


def notes(done: UpgradeReport) -> list[str]:
    """Return what the user has to know before this is deployed."""
    new, gone = ", ".join(done.new_settings), ", ".join(done.gone_settings)
    told = [
        f"New settings, which .env.example explains: {new}." if new else "",
        f"Settings that nothing reads any more: {gone}." if gone else "",
        PRODUCTION.get(done.goal.pattern, "") if is_promote(done) else "",
        *(
            open_task_notes(done.project.pattern, done.goal.pattern)
            if is_promote(done)
            else []
        ),
        *done.clashes,
        *divergence_notes(done.parted),
        renamed_package(done),
    ]
    return [note for note in told if note]


def open_task_notes(old: Pattern, new: Pattern) -> list[str]:
    """Say what becomes of the tasks that the running version has accepted and not finished."""
    if not RECORDS[old].durable:
        return [
            "Open tasks: the old version finishes them at SIGTERM, within its grace."
        ]
    if RECORDS[new].durable:
        return [
            f"Open tasks: their rows stay, and {new} runs them. Stop the old version first."
        ]
    drain = (
        f"Open tasks: {new} does not run the rows of {old}. Before you stop the old version, send it"
        " no more requests, and wait until GET /tasks?state=pending, ?state=retrying and"
        " ?state=running list nothing (administrators: ADMIN_TOKEN)."
    )
    return [
        drain,
        "Rows that are left stay in the table task_runs, and run after a promote back.",
    ]


def divergence_notes(parted: MigrationDivergence) -> list[str]:
    """Say what to do where migrations of the project and new ones do not follow one another."""
    twins = [
        f"{new} has the revision of {own}, which is yours: before anything else give the new one"
        f" another name, such as {alternative_revision(new)}, in its line `revision`."
        for own, new in parted.twins
    ]
    merge = f"Your migrations and the new ones do not follow one another: {MERGE_HEADS} joins them."
    return [*twins, *([merge] if parted else [])]


def wrapped(note: str) -> str:
    """Return a note in lines of 100 characters."""
    return fill(
        note, 100, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def migrations(done: UpgradeReport) -> str:
    """Return where the project keeps its migrations, as a shell takes it."""
    folder = application_packages(done.project.folder)[0] / "migrations"
    return shlex.quote(folder.relative_to(done.project.folder).as_posix())


def renamed_package(done: UpgradeReport) -> str:
    """Say that new files do not know how the user calls the package."""
    names = [package.name for package in application_packages(done.project.folder)]
    if "app" in names or not names:
        return ""
    return (
        f"Your package is called {names[0]}; what is new imports from app: change that."
    )


def next_steps(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return the commands to run now, each with what it does."""
    if done.nothing_to_do:
        return []
    if done.dry_run:
        return [(command(done), "do it")]
    here = relative_to_cwd(done.project.folder)
    steps = [] if here == "." else [(f"cd {shlex.quote(here)}", "")]
    if done.merged.conflicts:
        steps.append(("git status", "until every conflict is settled"))
    return [
        *steps,
        *renaming(done),
        *installing(done),
        *(joining(done) if done.parted else []),
        *migrating(done),
        ("uv run poe test", "run its tests"),
        ("git commit", "keep it; git has a message ready"),
    ]


def changed(done: UpgradeReport) -> set[str]:
    """Return the paths of all that changed, seen from the project."""
    return {done.shown(change.path) for change in done.merged.changes}


def installing(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return the commands that install what the project depends on now."""
    if "pyproject.toml" not in changed(done):
        return []
    sync = ("uv sync", "install what pyproject.toml asks for now")
    return (
        [sync, ("git add uv.lock", "which uv sync has written")]
        if done.locked
        else [sync]
    )


def renaming(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return the files of new migrations whose names are taken, each with one that is free."""
    return [
        (
            f"edit {migrations(done)}/versions/{PurePosixPath(new).name}",
            f'write there: revision: str = "{alternative_revision(new)}"',
        )
        for _own, new in done.parted.twins
    ]


def joining(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return the commands that let one migration follow those of the project and the new ones."""
    return [
        (f"{MERGE_HEADS} -m merge", "join your migrations and the new ones"),
        ("uv run poe format", "what Alembic has written"),
        (f"git add {migrations(done)}", "with the migration that joins them"),
    ]


def migrating(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return the command that brings the database up to date, if it is not."""
    durable = (
        RECORDS[done.goal.pattern].durable and not RECORDS[done.project.pattern].durable
    )
    if not durable and not any(
        "/migrations/versions/" in path for path in changed(done)
    ):
        return []
    return [("uv run poe migrate", "PostgreSQL only; SQLite migrates itself")]


def last_lines(done: UpgradeReport) -> str:
    """Say how to take it back, or that nothing has to be."""
    if done.dry_run:
        return "Nothing was changed."
    first = undo_first(done)
    undo = (
        steps("Undo all of it:", [*first, (UNDO, "")])
        if first
        else f"Undo all of it: {UNDO}"
    )
    return f"{undo}\nThe same again: {command(done)}"


def undo_first(done: UpgradeReport) -> list[tuple[str, str]]:
    """Return what git cannot undo: a database that was migrated, a migration it does not know."""
    if not done.parted.back:
        return []
    database = "if it was started or migrated since (or, in development: rm -r var)"
    back = (f"uv run alembic downgrade {done.parted.back}", database)
    joined = f"git add {migrations(done)}/versions/*_merge.py"
    return [back, *([(joined, "if you have joined the heads")] if done.parted else [])]


def command(done: UpgradeReport) -> str:
    """Return the command that does the same, without a dry run."""
    here = relative_to_cwd(done.project.folder)
    path = [] if here == "." else [here]
    overlays = [overlay.option for overlay in done.goal.added]
    update = ["update", *path, *overlays, f"--to={done.goal.commit}"]
    words = ["promote", done.goal.pattern.value, *path] if is_promote(done) else update
    return shlex.join(["bgscaffold", *words])


def report_json(done: UpgradeReport) -> str:
    """Return all of it as one JSON object."""
    project, goal = done.project, done.goal
    paths = [
        asdict(replace(each, path=done.shown(each.path)))
        for each in done.merged.changes
    ]
    facts = {
        "project_name": project.name,
        "path": str(project.folder),
        "from": {"pattern": project.pattern.value, "commit": project.commit},
        "to": {"pattern": goal.pattern.value, "commit": goal.commit},
        "added": [overlay.value for overlay in goal.added],
        "dry_run": done.dry_run,
        "changes": paths,
        "conflicts": conflict_details(done),
        "stay_deleted": [done.shown(path) for path in done.merged.stay_deleted],
        "written": done.written,
        "notes": notes(done),
        "next_steps": [step for step, _why in next_steps(done)],
        "undo": UNDO,
        "undo_first": [step for step, _why in undo_first(done)],
        "command": command(done),
    }
    return json.dumps(facts, indent=2)

"""The report of promote and update: changes, conflicts, next steps, and the undo."""

import json
import shlex
from dataclasses import asdict
from pathlib import PurePosixPath
from textwrap import fill
from typing import Any

from bgscaffold.analysis.migrations import MigrationDivergence, alternative_revision
from bgscaffold.features import feature_titles
from bgscaffold.patterns import RECORDS, Pattern
from bgscaffold.system.console import relative_to_cwd
from bgscaffold.upgrade.merge import Change
from bgscaffold.upgrade.report import UpgradeReport

Step = tuple[str, str]  # a command, and what it does

WIDTH = 88
STEP_WIDTH = 34
UNDO = "git reset --hard"
MERGE_HEADS = "uv run alembic merge heads"
EDIT = "edit it between the markers, then: git add {path}"
KEEP_OR_REMOVE = "to keep it: git add {path}; to remove it: git rm {path}"

# The reason for each kind of conflict of `git status --short`, and how to resolve it.
CONFLICT_HELP = {
    "UU": ("both sides changed the same lines", EDIT),
    "AA": ("both sides added it", EDIT),
    "UD": ("you edited it, and the new version removes it", KEEP_OR_REMOVE),
    "UA": ("new, where you have moved or removed something", KEEP_OR_REMOVE),
    "AU": ("yours, where the new version has something else", KEEP_OR_REMOVE),
    "DD": ("both sides moved or removed it", "to agree: git rm {path}"),
}
FINISHED_ON_SIGTERM = (
    "Unfinished tasks: on SIGTERM the old version finishes them within its grace"
    " period."
)
PAST = {"promote": "promoted", "update": "updated", "add": "added"}


def report_text(report: UpgradeReport) -> str:
    """Return the report as text."""
    if report.nothing_to_do:
        return nothing_to_do(report)
    notes_text = "\n".join(wrap(note) for note in notes(report))
    paragraphs = [
        headline(report),
        file_list(report),
        special_files(report),
        conflict_list(report),
        f"Before you run it:\n{notes_text}" if notes_text else "",
        step_list("Next:", next_steps(report)),
        last_lines(report),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def report_json(report: UpgradeReport) -> str:
    """Return the report as one JSON object."""
    project, target = report.project, report.target
    facts: dict[str, Any] = {
        "project_name": project.name,
        "path": str(project.root),
        "from": {"pattern": project.pattern.value, "commit": project.commit},
        "to": {"pattern": target.pattern.value, "commit": target.commit},
        "added": [feature.value for feature in target.added],
        "dry_run": report.dry_run,
        "changes": [asdict(change) for change in report.changes],
        "conflicts": conflict_details(report),
        "stay_deleted": report.stay_deleted,
        "written": report.written,
        "notes": notes(report),
        "next_steps": [step for step, _purpose in next_steps(report)],
        "undo": UNDO,
        "undo_first": [step for step, _purpose in undo_first(report)],
        "command": equivalent_command(report),
    }
    return json.dumps(facts, indent=2)


# ---- What changed -------------------------------------------------------------------


def nothing_to_do(report: UpgradeReport) -> str:
    """Return the report of an upgrade that changes nothing."""
    project = report.project
    state = f"pattern {project.pattern}, version {project.commit}"
    if project.features:
        state += f", with {feature_titles(project.features)}"
    return f"Nothing to do: {project.name} has {state}."


def headline(report: UpgradeReport) -> str:
    """Return one line that says what was done."""
    number = len(report.conflicts)
    plural = "" if number == 1 else "s"
    conflicts = f", with {number} conflict{plural}" if number else ""
    if report.dry_run:
        actions = [f"{verb} {object_}" for verb, object_ in actions_of(report)]
        return f"Would {' and '.join(actions)}{conflicts}:"
    actions = [f"{PAST[verb]} {object_}" for verb, object_ in actions_of(report)]
    sentence = " and ".join(actions)
    return f"{sentence[0].upper()}{sentence[1:]}{conflicts}; not committed yet:"


def actions_of(report: UpgradeReport) -> list[tuple[str, str]]:
    """Return what is done to the project: verbs, each with its object."""
    project, target = report.project, report.target
    if report.is_promote:
        patterns = f"from {project.pattern} to {target.pattern}"
        return [("promote", f"{project.name} {patterns}")]
    if target.commit == project.commit:
        return [("add", f"{feature_titles(target.added)} to {project.name}")]
    versions = f"from {project.commit} to {target.commit}"
    update = ("update", f"{project.name} {versions}")
    return [update, ("add", feature_titles(target.added))] if target.added else [update]


def file_list(report: UpgradeReport) -> str:
    """Return a line for each changed file, and their sum."""
    changes = report.changes
    width = max((len(change.path) for change in changes), default=0)
    lines = [file_line(change, width) for change in changes]
    added = sum(change.added for change in changes)
    removed = sum(change.removed for change in changes)
    total = f"{len(changes)} files, {added} lines added, {removed} removed."
    return "\n".join([*lines, total])


def file_line(change: Change, width: int) -> str:
    """Return the line of a changed file."""
    added = f"+{change.added}" if change.added else ""
    removed = f"-{change.removed}" if change.removed else ""
    return f"  {change.kind}  {change.path:<{width}} {added:>6} {removed:>6}".rstrip()


def special_files(report: UpgradeReport) -> str:
    """Return the files that stay deleted, and those that git does not track."""
    deleted = [
        f"  {path}: stays deleted, although the new version changes it"
        for path in report.stay_deleted
    ]
    verb = "would be created" if report.dry_run else "created"
    written = [f"  {path}: {verb}, but git ignores it" for path in report.written]
    return "\n".join([*deleted, *written])


def conflict_list(report: UpgradeReport) -> str:
    """Return the conflicts, each with its reason and a way to resolve it."""
    lines = []
    for conflict in conflict_details(report):
        lines.append(f"  {conflict['kind']}  {conflict['path']}")
        lines.append(f"      {conflict['reason']}")
        lines.append(f"      {conflict['resolve']}")
    return "\n".join(
        ["Conflicts to resolve before you commit:", *lines] if lines else []
    )


def conflict_details(report: UpgradeReport) -> list[dict[str, str]]:
    """Return the facts about each conflict."""
    details = []
    for path, kind in report.conflicts.items():
        reason, remedy = CONFLICT_HELP[kind]
        resolve = remedy.format(path=shlex.quote(path))
        facts = {"kind": kind, "path": path, "reason": reason, "resolve": resolve}
        details.append(facts)
    return details


# ---- What to know -------------------------------------------------------------------


def notes(report: UpgradeReport) -> list[str]:
    """Return what the user has to know before the new version runs."""
    found = [
        settings_note("New settings, explained in .env.example", report.new_settings),
        settings_note("Settings that have no effect now", report.removed_settings),
        *(promote_notes(report) if report.is_promote else []),
        *report.collisions,
        *divergence_notes(report.divergence),
        renamed_package_note(report),
    ]
    return [note for note in found if note]


def settings_note(title: str, settings: list[str]) -> str:
    """Return a list of settings, '' if there are none."""
    return f"{title}: {', '.join(settings)}." if settings else ""


def promote_notes(report: UpgradeReport) -> list[str]:
    """Return what the new pattern needs, and what happens to accepted tasks."""
    old, new = report.project.pattern, report.target.pattern
    return [RECORDS[new].production, *open_task_notes(old, new)]


def open_task_notes(old: Pattern, new: Pattern) -> list[str]:
    """Return what happens to tasks that are accepted and not finished."""
    if not RECORDS[old].durable:
        return [FINISHED_ON_SIGTERM]
    if RECORDS[new].durable:
        return [f"Unfinished tasks: {new} runs them. Stop the old version first."]
    drain = (
        f"Unfinished tasks: {new} does not run the rows of {old}. Before you stop the"
        " old version, send it no more requests and wait until"
        " GET /tasks?state=pending, ?state=retrying and ?state=running are empty"
        " (this needs ADMIN_TOKEN)."
    )
    return [drain, "Rows that remain in task_runs run again if you promote back."]


def divergence_notes(divergence: MigrationDivergence) -> list[str]:
    """Return what to do about migrations that do not follow one another."""
    twins = [
        f"{new} has the same revision as your {own}: first change `revision` in the new"
        f" file, for example to {alternative_revision(new)}."
        for own, new in divergence.twins
    ]
    merge = f"Your migrations and the new ones have several heads: run `{MERGE_HEADS}`."
    return [*twins, merge] if divergence else twins


def renamed_package_note(report: UpgradeReport) -> str:
    """Return what to change in new files if the package is not named app."""
    names = [package.name for package in report.project.packages]
    if "app" in names:
        return ""
    return (
        f"Your package is named {names[0]}: change `app` in the imports of new files."
    )


def wrap(note: str) -> str:
    """Return a note in lines that fit on the screen."""
    return fill(
        note,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )


# ---- What to do ---------------------------------------------------------------------


def step_list(title: str, steps: list[Step]) -> str:
    """Return commands under a title, each with what it does."""
    width = max([STEP_WIDTH, *(len(command) for command, purpose in steps if purpose)])
    lines = [f"  {command:<{width}}  {purpose}".rstrip() for command, purpose in steps]
    return "\n".join([title, *lines])


def next_steps(report: UpgradeReport) -> list[Step]:
    """Return the commands to run next."""
    if report.nothing_to_do:
        return []
    if report.dry_run:
        return [(equivalent_command(report), "apply the changes")]
    here = relative_to_cwd(report.project.root)
    steps = [] if here == "." else [(f"cd {shlex.quote(here)}", "")]
    if report.conflicts:
        steps.append(("git status", "until every conflict is resolved"))
    return [
        *steps,
        *rename_steps(report),
        *install_steps(report),
        *join_steps(report),
        *migrate_steps(report),
        ("uv run poe test", "run its tests"),
        ("git commit", "commit it; the message is prepared"),
    ]


def rename_steps(report: UpgradeReport) -> list[Step]:
    """Return the new migrations whose revisions exist already."""
    folder = f"{migrations_folder(report)}/versions"
    steps = []
    for _own, new in report.divergence.twins:
        revision = f'revision: str = "{alternative_revision(new)}"'
        steps.append((f"edit {folder}/{PurePosixPath(new).name}", f"write {revision}"))
    return steps


def install_steps(report: UpgradeReport) -> list[Step]:
    """Return the commands that install changed dependencies."""
    if "pyproject.toml" not in changed_paths(report):
        return []
    steps = [("uv sync", "install the dependencies of pyproject.toml")]
    if report.tracks_lock_file:
        steps.append(("git add uv.lock", "which uv sync has written"))
    return steps


def join_steps(report: UpgradeReport) -> list[Step]:
    """Return the commands that join the user's migrations and the new ones."""
    if not report.divergence:
        return []
    return [
        (f"{MERGE_HEADS} -m merge", "join your migrations and the new ones"),
        ("uv run poe format", "format what Alembic has written"),
        (f"git add {migrations_folder(report)}", "add the migration that joins them"),
    ]


def migrate_steps(report: UpgradeReport) -> list[Step]:
    """Return the command that migrates the database, if there are new migrations."""
    old, new = report.project.pattern, report.target.pattern
    needs_outbox = RECORDS[new].durable and not RECORDS[old].durable
    paths = changed_paths(report)
    if not needs_outbox and not any("/migrations/versions/" in path for path in paths):
        return []
    return [("uv run poe migrate", "PostgreSQL only; SQLite migrates at the start")]


def changed_paths(report: UpgradeReport) -> set[str]:
    """Return the paths of all changed files."""
    return {change.path for change in report.changes}


def migrations_folder(report: UpgradeReport) -> str:
    """Return the folder of the project's migrations, quoted for a shell."""
    project = report.project
    folder = project.packages[0].relative_to(project.root) / "migrations"
    return shlex.quote(folder.as_posix())


def last_lines(report: UpgradeReport) -> str:
    """Return how to undo it, and the command that does the same."""
    if report.dry_run:
        return "Nothing was changed."
    steps = undo_first(report)
    undo = (
        step_list("To undo it:", [*steps, (UNDO, "")])
        if steps
        else f"To undo it: {UNDO}"
    )
    return f"{undo}\nEquivalent command: {equivalent_command(report)}"


def undo_first(report: UpgradeReport) -> list[Step]:
    """Return what to undo before git: a migrated database, joined migrations."""
    if not report.divergence.downgrade_target:
        return []
    downgrade = f"uv run alembic downgrade {report.divergence.downgrade_target}"
    steps = [(downgrade, "if the database is migrated (in development: rm -r var)")]
    if report.divergence:
        add = f"git add {migrations_folder(report)}/versions/*_merge.py"
        steps.append((add, "if you have joined the heads"))
    return steps


def equivalent_command(report: UpgradeReport) -> str:
    """Return the command that does the same, without --dry-run."""
    here = relative_to_cwd(report.project.root)
    path = [] if here == "." else [here]
    target = report.target
    if report.is_promote:
        words = ["promote", target.pattern.value, *path]
    else:
        options = [feature.option for feature in target.added]
        words = ["update", *path, *options, f"--to={target.commit}"]
    return shlex.join(["bgscaffold", *words])

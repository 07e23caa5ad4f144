"""The command line: parse, call, print. What is decided is decided elsewhere."""

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bgscaffold import __version__
from bgscaffold.errors import BgscaffoldError
from bgscaffold.patterns import Pattern
from bgscaffold.project.spec import Ci, ProjectSpec
from bgscaffold.system.console import echo
from bgscaffold.system.errors import CurrentFolderMissingError

if TYPE_CHECKING:
    from bgscaffold.upgrade.command import UpgradeReport

app = typer.Typer(
    help="FastAPI projects whose background tasks are right from the start.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folder = Annotated[str, typer.Argument(metavar="PATH", help="A folder of the project.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
WithAi = Annotated[
    bool, typer.Option("--with-ai", help="Documents to upload and search, and a chat.")
]
WithSchedule = Annotated[
    bool, typer.Option("--with-schedule", help="Tasks that run by the clock.")
]
MERGED_WITH_CONFLICTS = 3


def run_app(arguments: list[str]) -> None:
    """Run a command; print a refusal as text, or as JSON where JSON was asked for."""
    try:
        parse_and_call(arguments)
    except BgscaffoldError as refusal:
        if "--json" in arguments:
            echo(json.dumps(refusal.as_dict(), indent=2))
        else:
            echo(str(refusal), to_stderr=True)
        raise SystemExit(refusal.exit_code) from refusal


def parse_and_call(arguments: list[str]) -> None:
    """Leave the command line to Typer, but word what it cannot read as a refusal."""
    try:
        # Without arguments Typer itself shows the help.
        sys.exit(app(arguments, prog_name="bgscaffold", standalone_mode=not arguments))
    except typer.TyperException as error:
        reason = error.format_message().replace("Value error, ", "").rstrip(".")
        raise UsageError(shlex.join(arguments), reason) from error
    except FileNotFoundError as error:
        if cwd_is_missing():
            raise CurrentFolderMissingError(os.curdir) from error
        raise


def cwd_is_missing() -> bool:
    """Tell whether the folder that the user stands in was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        raise typer.Exit(not echo(f"bgscaffold {__version__}"))


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, help="Show the version.")
    ] = False,
) -> None:
    """FastAPI projects whose background tasks are right from the start."""


@app.command()
def new(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="The folder to create; its last part is the name."
        ),
    ],
    pattern: Annotated[
        Pattern | None,
        typer.Option(
            help="How tasks run: see `bgscaffold patterns`.  [default: simple; asked in a terminal]"
        ),
    ] = None,
    with_celery: Annotated[
        bool, typer.Option("--with-celery", help="The same as --pattern celery.")
    ] = False,
    with_ai: WithAi = False,
    with_schedule: WithSchedule = False,
    ci: Annotated[
        Ci, typer.Option(help="Where its tests run on each push.")
    ] = Ci.GITHUB,
    no_git: Annotated[
        bool, typer.Option("--no-git", help="Make no repository and no first commit.")
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="Run `uv sync` in it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    from bgscaffold.new import output, wizard
    from bgscaffold.new.create import create, resolve_pattern

    chosen = resolve_pattern(pattern, with_celery=with_celery)
    project = ProjectSpec.at(
        path, pattern=chosen, ci=ci, schedule=with_schedule, ai=with_ai
    )
    named = with_celery or pattern is not None
    asked = not named and not as_json and wizard.is_interactive()
    project = wizard.ask_pattern(project) if asked else project
    done = create(project, git=not no_git, install=install)
    said = output.new_project_text(done, chosen=named or asked) + (
        wizard.other_features_hint(project) if asked else ""
    )
    echo(output.new_project_json(done) if as_json else said)


@app.command()
def promote(
    pattern: Annotated[
        Pattern,
        typer.Argument(metavar="PATTERN", help="The pattern to move to, up or down."),
    ],
    path: Folder = ".",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a project to another pattern; what you have written stays."""
    from bgscaffold.upgrade import command

    report(command.promote(path, pattern, dry_run=dry_run), as_json=as_json)


@app.command()
def update(
    path: Folder = ".",
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Such as 0.2.0.  [default: this one]"),
    ] = None,
    with_ai: WithAi = False,
    with_schedule: WithSchedule = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a project to this version, or add AI or schedules to it."""
    from bgscaffold.features import selected_features
    from bgscaffold.upgrade import command

    overlays = selected_features(ai=with_ai, schedule=with_schedule)
    report(command.update(path, to, overlays, dry_run=dry_run), as_json=as_json)


def report(done: "UpgradeReport", *, as_json: bool) -> None:
    """Print what became of a project; conflicts have an exit code of their own."""
    from bgscaffold.upgrade import output

    echo(output.report_json(done) if as_json else output.report_text(done))
    raise typer.Exit(MERGED_WITH_CONFLICTS if done.merged.conflicts else 0)


adding = typer.Typer(help="Add to a project.", no_args_is_help=True)
app.add_typer(adding, name="add")


@adding.callback()
def adding_options() -> None:
    """Add to a project."""


@adding.command()
def task(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DOMAIN.NAME",
            help="A folder of app/ and a function, as in invoices.send_reminder.",
        ),
    ],
    is_async: Annotated[
        bool, typer.Option("--async", help="Make it an `async def`.")
    ] = False,
    cron: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="Run it by the clock, as in '0 3 * * *'."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Where --cron counts. [SCHEDULE_TIMEZONE]"),
    ] = None,
    route: Annotated[
        bool, typer.Option("--route", help="With a route that enqueues it.")
    ] = False,
    path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A folder of the project. [the current one]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a task with its test, and with a route if you like."""
    from bgscaffold.add_task import output
    from bgscaffold.add_task.code import NewTask
    from bgscaffold.add_task.command import add_task
    from bgscaffold.add_task.cron import validate_schedule
    from bgscaffold.add_task.task_name import TaskName
    from bgscaffold.project.project import find_project

    new = NewTask(TaskName.of(name), is_async, *validate_schedule(cron, timezone))
    done = add_task(find_project(path), new, route=route)
    echo(output.new_task_json(done) if as_json else output.new_task_text(done))


@app.command()
def doctor(
    path: Folder = ".",
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong with a project; say what to do."""
    from bgscaffold.doctor.checks import (
        format_findings,
        format_findings_json,
        has_no_failures,
        load_project,
        run_checks,
    )

    project = load_project(path)
    found = run_checks(project)
    said = echo(
        format_findings_json(project, found) if as_json else format_findings(found)
    )
    raise typer.Exit(0 if said and has_no_failures(found) else 1)


@app.command()
def verify(
    path: Folder = ".",
    faults: Annotated[
        bool, typer.Option("--faults", help="Break its processes, too: 20 minutes.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --faults: a few, in 2 minutes.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of the faults.  [default: a random one]")
    ] = None,
    database: Annotated[
        str, typer.Option(metavar="URL", help="A PostgreSQL server.  [default: SQLite]")
    ] = "",
    broker: Annotated[
        str, typer.Option(metavar="URL", help="Redis or RabbitMQ.  [default: embedded]")
    ] = "",
    env_file: Annotated[
        str, typer.Option(metavar="FILE", help="Settings that the project requires.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Run the contract tests against a copy of a project."""
    from bgscaffold.verify import command, output

    options = command.VerifyOptions(
        faults=faults,
        quick=quick,
        seed=seed,
        database=database,
        broker=broker,
        env_file=env_file,
    )
    done = command.verify(path, options)
    echo(output.report_json(done) if as_json else output.report_text(done))
    raise typer.Exit(0 if done.passed else 1)


@app.command()
def patterns() -> None:
    """Show what each pattern promises, and what it does not."""
    from bgscaffold.new import output

    raise typer.Exit(not echo(output.patterns_table()))


class UsageError(BgscaffoldError):
    """The command line holds what no command takes, or lacks what it needs."""

    exit_code = 2
    what = "Cannot read the command line"
    allowed = "what `bgscaffold --help` and `bgscaffold COMMAND --help` list"
    remedy = "correct what is named, then run it again"

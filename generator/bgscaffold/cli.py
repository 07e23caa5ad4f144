"""The command line: parse, call, print. What is decided is decided elsewhere."""

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bgscaffold import __version__
from bgscaffold.errors import NoFolder, Refusal, WrongUsage
from bgscaffold.patterns import Pattern, choose
from bgscaffold.project import Ci, Project
from bgscaffold.say import say

if TYPE_CHECKING:
    from bgscaffold.evolve import Evolved

app = typer.Typer(
    help="FastAPI projects whose background tasks are right from the start.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folder = Annotated[str, typer.Argument(metavar="PATH", help="A folder of the project.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change; change nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
WithAi = Annotated[
    bool, typer.Option("--with-ai", help="Documents to upload and search, and a chat.")
]
WithSchedule = Annotated[bool, typer.Option("--with-schedule", help="Tasks that run by the clock.")]
MERGED_WITH_CONFLICTS = 3


def run_app(arguments: list[str]) -> None:
    """Run a command; print a refusal as text, or as JSON where JSON was asked for."""
    try:
        parse_and_call(arguments)
    except Refusal as refusal:
        if "--json" in arguments:
            say(json.dumps(refusal.as_dict(), indent=2))
        else:
            say(str(refusal), to_stderr=True)
        raise SystemExit(refusal.exit_code) from refusal


def parse_and_call(arguments: list[str]) -> None:
    """Leave the command line to Typer, but word what it cannot read as a refusal."""
    try:
        # Without arguments Typer itself shows the help.
        sys.exit(app(arguments, prog_name="bgscaffold", standalone_mode=not arguments))
    except typer.TyperException as error:
        reason = error.format_message().replace("Value error, ", "").rstrip(".")
        raise WrongUsage(shlex.join(arguments), reason) from error
    except FileNotFoundError as error:
        if stands_nowhere():
            raise NoFolder(os.curdir) from error
        raise


def stands_nowhere() -> bool:
    """Tell whether the folder that the user stands in was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        raise typer.Exit(not say(f"bgscaffold {__version__}"))


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
        typer.Argument(metavar="PATH", help="The folder to create; its last part is the name."),
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
    ci: Annotated[Ci, typer.Option(help="Where its tests run on each push.")] = Ci.GITHUB,
    no_git: Annotated[
        bool, typer.Option("--no-git", help="Make no repository and no first commit.")
    ] = False,
    install: Annotated[bool, typer.Option("--install", help="Run `uv sync` in it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    from bgscaffold import messages, wizard
    from bgscaffold.new import create

    chosen = choose(pattern, with_celery=with_celery)
    project = Project.at(path, pattern=chosen, ci=ci, schedule=with_schedule, ai=with_ai)
    named = with_celery or pattern is not None
    asked = not named and not as_json and wizard.is_possible()
    project = wizard.advised(project) if asked else project
    done = create(project, git=not no_git, install=install)
    said = messages.created(done, chosen=named or asked) + (wizard.also(project) if asked else "")
    say(messages.created_json(done) if as_json else said)


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
    from bgscaffold import evolve

    report(evolve.promote(path, pattern, dry_run=dry_run), as_json=as_json)


@app.command()
def update(
    path: Folder = ".",
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Such as 0.2.0.  [default: this one]")
    ] = None,
    with_ai: WithAi = False,
    with_schedule: WithSchedule = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a project to this version, or add AI or schedules to it."""
    from bgscaffold import evolve
    from bgscaffold.overlays import wanted

    overlays = wanted(ai=with_ai, schedule=with_schedule)
    report(evolve.update(path, to, overlays, dry_run=dry_run), as_json=as_json)


def report(done: "Evolved", *, as_json: bool) -> None:
    """Print what became of a project; conflicts have an exit code of their own."""
    from bgscaffold import reports

    say(reports.evolved_json(done) if as_json else reports.evolved(done))
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
    is_async: Annotated[bool, typer.Option("--async", help="Make it an `async def`.")] = False,
    cron: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="Run it by the clock, as in '0 3 * * *'."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Where --cron counts. [SCHEDULE_TIMEZONE]"),
    ] = None,
    route: Annotated[bool, typer.Option("--route", help="With a route that enqueues it.")] = False,
    path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A folder of the project. [the current one]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a task with its test, and with a route if you like."""
    from bgscaffold import task_messages
    from bgscaffold.add_task import add
    from bgscaffold.cron import schedule
    from bgscaffold.existing import find
    from bgscaffold.task_code import NewTask
    from bgscaffold.task_name import TaskName

    new = NewTask(TaskName.of(name), is_async, *schedule(cron, timezone))
    done = add(find(path), new, route=route)
    say(task_messages.added_json(done) if as_json else task_messages.added(done))


@app.command()
def doctor(
    path: Folder = ".",
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong with a project; say what to do."""
    from bgscaffold.doctor import examine, is_well, project_at, told, told_json

    project = project_at(path)
    found = examine(project)
    said = say(told_json(project, found) if as_json else told(found))
    raise typer.Exit(0 if said and is_well(found) else 1)


@app.command()
def patterns() -> None:
    """Show what each pattern promises, and what it does not."""
    from bgscaffold import messages

    raise typer.Exit(not say(messages.patterns()))

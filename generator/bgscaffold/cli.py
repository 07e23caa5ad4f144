"""The command line: parse, call, print."""

import json
import os
import re
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
    from bgscaffold.upgrade.report import UpgradeReport

MERGED_WITH_CONFLICTS = 3
SUMMARY = "FastAPI projects with reliable background tasks."
NOT_A_CHOICE = re.compile(r"Invalid value for '(.+?)': (.+) is not one of (.+)\.")

app = typer.Typer(
    help=SUMMARY,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
add_app = typer.Typer(help="Add to a project.", no_args_is_help=True)
app.add_typer(add_app, name="add")

ProjectPath = Annotated[
    str, typer.Argument(metavar="PATH", help="A folder of the project.")
]
NewPath = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="The folder to create; its last part is the name."
    ),
]
PatternOption = Annotated[
    Pattern | None,
    typer.Option(
        help="How tasks run: see `bgscaffold patterns`."
        "  [default: simple; asked in a terminal]"
    ),
]
TargetPattern = Annotated[
    Pattern,
    typer.Argument(metavar="PATTERN", help="The pattern to move to, up or down."),
]
WithCelery = Annotated[
    bool, typer.Option("--with-celery", help="The same as --pattern celery.")
]
WithAi = Annotated[
    bool, typer.Option("--with-ai", help="Documents to upload and search, and a chat.")
]
WithSchedule = Annotated[
    bool, typer.Option("--with-schedule", help="Scheduled tasks, with @task(cron=...).")
]
CiOption = Annotated[Ci, typer.Option(help="Where its tests run on each push.")]
NoGit = Annotated[
    bool, typer.Option("--no-git", help="Create no repository and no first commit.")
]
Install = Annotated[bool, typer.Option("--install", help="Run `uv sync` in it.")]
Version = Annotated[
    str | None,
    typer.Option(metavar="VERSION", help="Such as 0.2.0.  [default: this one]"),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Preview the changes, and change nothing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TaskArgument = Annotated[
    str,
    typer.Argument(
        metavar="DOMAIN.NAME",
        help="A folder of app/ and a function, as in invoices.send_reminder.",
    ),
]
IsAsync = Annotated[bool, typer.Option("--async", help="Make it an `async def`.")]
Cron = Annotated[
    str | None,
    typer.Option(metavar="EXPR", help="Run it on a schedule, such as '0 3 * * *'."),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE", help="The time zone of --cron. [default: SCHEDULE_TIMEZONE]"
    ),
]
WithRoute = Annotated[
    bool, typer.Option("--route", help="Add a route that enqueues it, too.")
]
PathOption = Annotated[
    str | None,
    typer.Option(
        "--path", metavar="PATH", help="A folder of the project. [default: .]"
    ),
]
Faults = Annotated[
    bool,
    typer.Option(
        "--faults", help="Also break its processes under load (about 20 minutes)."
    ),
]
Quick = Annotated[
    bool,
    typer.Option("--quick", help="With --faults: only a few faults (about 2 minutes)."),
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of the faults.  [default: a random one]")
]
DatabaseUrl = Annotated[
    str, typer.Option(metavar="URL", help="A PostgreSQL server.  [default: SQLite]")
]
BrokerUrl = Annotated[
    str, typer.Option(metavar="URL", help="Redis or RabbitMQ.  [default: embedded]")
]
EnvFile = Annotated[
    str, typer.Option(metavar="FILE", help="Settings that the project requires.")
]


class UsageError(BgscaffoldError):
    """The command line is not valid."""

    exit_code = 2
    what = "Cannot read the command line"
    remedy = "Run `bgscaffold --help` or `bgscaffold COMMAND --help`."

    def __str__(self) -> str:
        return f"{self.reason}\n{self.remedy}"


def run_app(arguments: list[str]) -> None:
    """Run a command; print an error as text, or as JSON with --json."""
    try:
        parse_and_call(arguments)
    except BgscaffoldError as error:
        if "--json" in arguments:
            echo(json.dumps(error.as_dict(), indent=2))
        else:
            echo(str(error), to_stderr=True)
        raise SystemExit(error.exit_code) from error


def parse_and_call(arguments: list[str]) -> None:
    """Call Typer, and turn what it reports into an error of ours."""
    try:
        # Without arguments Typer itself shows the help.
        sys.exit(app(arguments, prog_name="bgscaffold", standalone_mode=not arguments))
    except typer.TyperException as error:
        message = describe_usage(error.format_message())
        raise UsageError(shlex.join(arguments), message) from error
    except FileNotFoundError as error:
        if cwd_is_missing():
            raise CurrentFolderMissingError(os.curdir) from error
        raise


def describe_usage(message: str) -> str:
    """Return Typer's message, with the choices of an option as a list."""
    sentence = f"{message.replace('Value error, ', '').rstrip('.')}."
    found = NOT_A_CHOICE.fullmatch(sentence)
    if not found:
        return sentence
    option, value, choices = found.groups()
    allowed = choices.replace("'", "")
    return f"Invalid value for {option}: {value}. Choose from {allowed}."


def cwd_is_missing() -> bool:
    """Return whether the current folder was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def print_only(text: str) -> None:
    """Print what a command exists for; fail if it cannot be written."""
    if not echo(text):
        raise typer.Exit(1)


def show_version(is_set: bool) -> None:
    """Print the version and exit."""
    if is_set:
        print_only(f"bgscaffold {__version__}")
        raise typer.Exit


@app.callback(help=SUMMARY)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, help="Show the version.")
    ] = False,
) -> None:
    """Take the options before the command."""


@app.command()
def new(
    path: NewPath,
    pattern: PatternOption = None,
    with_celery: WithCelery = False,
    with_ai: WithAi = False,
    with_schedule: WithSchedule = False,
    ci: CiOption = Ci.GITHUB,
    no_git: NoGit = False,
    install: Install = False,
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    from bgscaffold.new import output, wizard
    from bgscaffold.new.create import create, resolve_pattern

    chosen = resolve_pattern(pattern, with_celery=with_celery)
    spec = ProjectSpec.at(
        path, pattern=chosen, ci=ci, schedule=with_schedule, ai=with_ai
    )
    is_chosen = with_celery or pattern is not None
    asks = not is_chosen and not as_json and wizard.is_interactive()
    if asks:
        spec = wizard.ask_pattern(spec)
    created = create(spec, git=not no_git, install=install)
    if as_json:
        echo(output.new_project_json(created))
        return
    text = output.new_project_text(created, is_default=not is_chosen and not asks)
    echo(text + (wizard.other_features_hint(spec) if asks else ""))


@app.command()
def promote(
    pattern: TargetPattern,
    path: ProjectPath = ".",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a project to another pattern; your code stays as it is."""
    from bgscaffold.upgrade.command import promote as promote_project

    print_report(promote_project(path, pattern, dry_run=dry_run), as_json=as_json)


@app.command()
def update(
    path: ProjectPath = ".",
    to: Version = None,
    with_ai: WithAi = False,
    with_schedule: WithSchedule = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a project to this version, or add AI or schedules to it."""
    from bgscaffold.features import selected_features
    from bgscaffold.upgrade.command import update as update_project

    features = selected_features(ai=with_ai, schedule=with_schedule)
    print_report(update_project(path, to, features, dry_run=dry_run), as_json=as_json)


def print_report(report: "UpgradeReport", *, as_json: bool) -> None:
    """Print what an upgrade changed; conflicts have their own exit code."""
    from bgscaffold.upgrade.output import report_json, report_text

    echo(report_json(report) if as_json else report_text(report))
    raise typer.Exit(MERGED_WITH_CONFLICTS if report.conflicts else 0)


@add_app.callback()
def add_options() -> None:
    """Add to a project."""


@add_app.command()
def task(
    name: TaskArgument,
    is_async: IsAsync = False,
    cron: Cron = None,
    timezone: Timezone = None,
    route: WithRoute = False,
    path: PathOption = None,
    as_json: AsJson = False,
) -> None:
    """Add a task with its test, and a route if you want one."""
    from bgscaffold.add_task import output
    from bgscaffold.add_task.code import NewTask
    from bgscaffold.add_task.command import add_task
    from bgscaffold.add_task.cron import validate_schedule
    from bgscaffold.add_task.task_name import TaskName
    from bgscaffold.project.project import Project

    new = NewTask(TaskName.of(name), is_async, *validate_schedule(cron, timezone))
    added = add_task(Project.find(path), new, route=route)
    echo(output.new_task_json(added) if as_json else output.new_task_text(added))


@app.command()
def doctor(path: ProjectPath = ".", as_json: AsJson = False) -> None:
    """Find problems of a project and of this machine. It runs the project's code."""
    from bgscaffold.doctor import output
    from bgscaffold.doctor.command import find_project, run_checks
    from bgscaffold.doctor.findings import has_failures

    project = find_project(path)
    findings = run_checks(project)
    text = output.findings_text(findings)
    print_only(output.findings_json(project, findings) if as_json else text)
    raise typer.Exit(1 if has_failures(findings) else 0)


@app.command()
def verify(
    path: ProjectPath = ".",
    faults: Faults = False,
    quick: Quick = False,
    seed: Seed = None,
    database: DatabaseUrl = "",
    broker: BrokerUrl = "",
    env_file: EnvFile = "",
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
    print_only(output.report_json(done) if as_json else output.report_text(done))
    raise typer.Exit(0 if done.passed else 1)


@app.command()
def patterns() -> None:
    """Show what each pattern promises, and what it does not."""
    from bgscaffold.new.output import patterns_table

    print_only(patterns_table())

"""`--help`: a short text for every command and option, with its default."""

import pytest

from tests.generator.conftest import Outcome, Run

NEW = """\
Usage: bgscaffold new [OPTIONS] {PATH}

  Create a project.

Arguments:
  PATH <str>  The folder to create; its last part is the name.  [required]

Options:
  --pattern <simple|async|safe|celery>
                                  How tasks run: see `bgscaffold patterns`.
                                  [default: simple; asked in a terminal]
  --with-celery                   The same as --pattern celery.
  --with-ai                       Documents to upload and search, and a chat.
  --with-schedule                 Scheduled tasks, with @task(cron=...).
  --ci <github|gitlab|none>       Where its tests run on each push.  [default:
                                  github]
  --no-git                        Create no repository and no first commit.
  --install                       Run `uv sync` in it.
  --json                          Print one JSON object.
  --help                          Show this message and exit.
"""
PROMOTE = """\
Usage: bgscaffold promote [OPTIONS] {PATTERN} [PATH]

  Move a project to another pattern; your code stays as it is.

Arguments:
  PATTERN <simple|async|safe|celery>
                                  The pattern to move to, up or down.
                                  [required]
  PATH <str>                      A folder of the project.  [default: .]

Options:
  --dry-run  Preview the changes, and change nothing.
  --json     Print one JSON object.
  --help     Show this message and exit.
"""
UPDATE = """\
Usage: bgscaffold update [OPTIONS] [PATH]

  Move a project to this version, or add AI or schedules to it.

Arguments:
  PATH <str>  A folder of the project.  [default: .]

Options:
  --to VERSION     Such as 0.2.0.  [default: this one]
  --with-ai        Documents to upload and search, and a chat.
  --with-schedule  Scheduled tasks, with @task(cron=...).
  --dry-run        Preview the changes, and change nothing.
  --json           Print one JSON object.
  --help           Show this message and exit.
"""
ADD_TASK = """\
Usage: bgscaffold add task [OPTIONS] {DOMAIN.NAME}

  Add a task with its test, and a route if you want one.

Arguments:
  DOMAIN.NAME <str>  A folder of app/ and a function, as in
                     invoices.send_reminder.  [required]

Options:
  --async          Make it an `async def`.
  --cron EXPR      Run it on a schedule, such as '0 3 * * *'.
  --timezone ZONE  The time zone of --cron. [default: SCHEDULE_TIMEZONE]
  --route          Add a route that enqueues it, too.
  --path PATH      A folder of the project. [default: .]
  --json           Print one JSON object.
  --help           Show this message and exit.
"""
DOCTOR = """\
Usage: bgscaffold doctor [OPTIONS] [PATH]

  Find problems of a project and of this machine. It runs the project's code.

Arguments:
  PATH <str>  A folder of the project.  [default: .]

Options:
  --json  Print one JSON object.
  --help  Show this message and exit.
"""
VERIFY = """\
Usage: bgscaffold verify [OPTIONS] [PATH]

  Run the contract tests against a copy of a project.

Arguments:
  PATH <str>  A folder of the project.  [default: .]

Options:
  --faults         Also break its processes under load (about 20 minutes).
  --quick          With --faults: only a few faults (about 2 minutes).
  --seed <int>     Seed of the faults.  [default: a random one]
  --database URL   A PostgreSQL server.  [default: SQLite]
  --broker URL     Redis or RabbitMQ.  [default: embedded]
  --env-file FILE  Settings that the project requires.
  --json           Print one JSON object.
  --help           Show this message and exit.
"""


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("new", NEW),
        ("promote", PROMOTE),
        ("update", UPDATE),
        ("add task", ADD_TASK),
        ("doctor", DOCTOR),
        ("verify", VERIFY),
    ],
)
def test_help(
    command: str, text: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(*command.split(), "--help") == Outcome(0, text, "")


@pytest.mark.parametrize("group", [(), ("add",)])
def test_a_summary_is_not_shortened(
    group: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*group, "--help").out.partition("Commands:\n")[2].splitlines()
    assert ("task" if group else "doctor") in [line.split()[0] for line in lines]
    assert [line for line in lines if line.endswith("...")] == []

"""What `--help` says of each command."""

import pytest

from tests.generator.conftest import Run

ADD_TASK = """\
Usage: bgscaffold add task [OPTIONS] {DOMAIN.NAME}

  Add a task with its test, and with a route if you like.

Arguments:
  DOMAIN.NAME <str>  A folder of app/ and a function, as in
                     invoices.send_reminder.  [required]

Options:
  --async          Make it an `async def`.
  --cron EXPR      Run it by the clock, as in '0 3 * * *'.
  --timezone ZONE  Where --cron counts. [SCHEDULE_TIMEZONE]
  --route          With a route that enqueues it.
  --path PATH      A folder of the project. [the current one]
  --json           Print one JSON object.
  --help           Show this message and exit.
"""
DOCTOR = """\
Usage: bgscaffold doctor [OPTIONS] [PATH]

  Look for what is wrong with a project; say what to do.

Arguments:
  PATH <str>  A folder of the project.  [default: .]

Options:
  --json  Print one JSON object.
  --help  Show this message and exit.
"""


@pytest.mark.parametrize(
    ("command", "said"), [(("add", "task"), ADD_TASK), (("doctor",), DOCTOR)], ids=["add", "doctor"]
)
def test_the_help_of_a_command(
    command: tuple[str, ...], said: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(*command, "--help").out == said


@pytest.mark.parametrize("group", [(), ("add",)])
def test_a_summary_is_told_whole(group: tuple[str, ...], run: Run) -> None:
    lines = run(*group, "--help").out.partition("Commands:\n")[2].splitlines()
    told = {line.split()[0]: line for line in lines}
    assert [name for name in ("doctor", "task") if name in told] == ["task" if group else "doctor"]
    assert not any(told[name].endswith("...") for name in ("doctor", "task") if name in told)

"""`--help`: every command and every option in few words, with what it takes and its default."""

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
  --with-schedule                 Tasks that run by the clock.
  --ci <github|gitlab|none>       Where its tests run on each push.  [default:
                                  github]
  --no-git                        Make no repository and no first commit.
  --install                       Run `uv sync` in it.
  --json                          Print one JSON object.
  --help                          Show this message and exit.
"""
PROMOTE = """\
Usage: bgscaffold promote [OPTIONS] {PATTERN} [PATH]

  Move a project to another pattern; what you have written stays.

Arguments:
  PATTERN <simple|async|safe|celery>
                                  The pattern to move to, up or down.
                                  [required]
  PATH <str>                      A folder of the project.  [default: .]

Options:
  --dry-run  Say what would change; change nothing.
  --json     Print one JSON object.
  --help     Show this message and exit.
"""
UPDATE = """\
Usage: bgscaffold update [OPTIONS] [PATH]

  Move a project to this version of bgscaffold, or add to it; what you have
  written stays.

Arguments:
  PATH <str>  A folder of the project.  [default: .]

Options:
  --to VERSION     Such as 0.2.0.  [default: this one]
  --with-ai        Documents to upload and search, and a chat.
  --with-schedule  Tasks that run by the clock.
  --dry-run        Say what would change; change nothing.
  --json           Print one JSON object.
  --help           Show this message and exit.
"""


@pytest.mark.parametrize(
    ("command", "text"), [("new", NEW), ("promote", PROMOTE), ("update", UPDATE)]
)
def test_help(command: str, text: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(command, "--help") == Outcome(0, text, "")

"""The wizard of `new`: when it asks, what it recommends, how it uses the answers."""

import itertools
import os
import shutil
from pathlib import Path

import pytest

from bgscaffold.new import wizard
from bgscaffold.new.wizard import ADVICE, QUESTIONS
from bgscaffold.patterns import Pattern
from bgscaffold.project.spec import ProjectSpec
from bgscaffold.verify.suite.terminal import Terminal
from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.generator.conftest import Machine, Run

ADVISED = {
    ("a moment", "yes"): "simple",
    ("seconds", "yes"): "async",
    ("longer", "yes"): "safe",
    ("a moment", "no"): "safe",
    ("seconds", "no"): "safe",
    ("longer", "no"): "safe",
    ("a moment", "no, and"): "celery",
    ("seconds", "no, and"): "celery",
    ("longer", "no, and"): "celery",
}


def test_two_questions_decide() -> None:
    answers = [range(len(question.answers)) for question in QUESTIONS]
    assert list(ADVICE) == sorted(
        itertools.product(*answers), key=lambda pair: pair[::-1]
    )
    advised = {
        (first, second): ADVICE[one, two].pattern.value
        for (one, first), (two, second) in itertools.product(
            enumerate(("a moment", "seconds", "longer")),
            enumerate(("yes", "no", "no, and")),
        )
    }
    assert advised == ADVISED
    for beginning, question in zip(zip(*ADVISED, strict=True), QUESTIONS, strict=True):
        for begun, answer in zip(
            dict.fromkeys(beginning), question.answers, strict=True
        ):
            assert answer.startswith(begun)


def test_the_lines_fit_on_a_screen() -> None:
    lines = [
        line
        for q in QUESTIONS
        for text in (q.text, *q.answers)
        for line in text.split("\n")
    ]
    advice = [f"Recommended: {each.pattern}. {each.reason}" for each in ADVICE.values()]
    assert max(len(line) for line in [*lines, *advice]) <= 95


# Programs that are found no more once a test has its machine.
SETSID, ENV = (shutil.which(name) or name for name in ("setsid", "env"))

SCREEN = """\
1. How long does your slowest task take? A server that is stopped, as in every
deploy, has a grace period to finish its work: 30 seconds on most platforms.
     1  a moment: a mail, a line in a log
     2  seconds, and always less than the grace period
     3  longer than the grace period, or unknown
1, 2, 3? 2

2. May an accepted task be lost when the process crashes or the machine stops?
     1  yes, now and then
     2  no
     3  no, and tasks need their own processes or machines
1, 2, 3? 2

Recommended: safe. Tasks wait in the database: a crash loses none. No server is needed.
Press Enter for safe, or type simple, async or celery: 

Created shop in {here}/shop, pattern safe.
"""


def at_terminal(machine: Machine, *arguments: str) -> Terminal:
    """Run `bgscaffold` in a terminal."""
    if not (machine.bin / "setsid").exists():
        (machine.bin / "setsid").symlink_to(SETSID)
    # With Ctrl-C in force, whatever started the tests.
    command = [ENV, "--default-signal=INT", *helpers.process(*arguments)]
    return Terminal(*command, cwd=machine.here, env=dict(os.environ))


def see(terminal: Terminal, text: str) -> None:
    """Wait until the terminal shows a text."""
    until(lambda: text in terminal.screen, lambda: f"{text!r}:\n{terminal.screen}")


def answer(terminal: Terminal, *answers: str) -> None:
    """Type each answer when it is asked for."""
    for number, text in enumerate(answers, 1):
        see(terminal, f"{number}. " if number < 3 else "Press Enter")
        terminal.type(f"{text}\n")


def test_enter_takes_the_advice(machine: Machine) -> None:
    with at_terminal(machine, "new", "shop", "--no-git") as terminal:
        answer(terminal, "2", "2", "")
        assert terminal.process.wait(60) == 0
        see(
            terminal,
            "Equivalent command: bgscaffold new shop --pattern=safe --ci=github --no-git",
        )
        see(terminal, f"\r\nAlso available: {BOTH}\r\n")
        shown = terminal.screen.replace("\r\n", "\n")
    assert shown.startswith(SCREEN.format(here=machine.here))
    assert "pattern: safe\n" in (machine.here / "shop/.copier-answers.yml").read_text()


def test_another_pattern_can_be_typed(machine: Machine) -> None:
    with at_terminal(machine, "new", "shop", "--no-git") as terminal:
        answer(terminal, "1", "x")
        see(terminal, "Not a choice: 'x'. Choose from 1, 2, 3.")
        terminal.type("3\n")
        see(terminal, "Recommended: celery.")
        terminal.type("blue\n")
        see(terminal, "Not a choice: 'blue'. Choose from simple, async, safe, celery.")
        terminal.type(" ASYNC \n")
        assert terminal.process.wait(60) == 0
        see(terminal, "--pattern=async")


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("answered", [[], ["1"], ["1", "1"]])
def test_who_leaves_gets_nothing(
    key: str, answered: list[str], machine: Machine
) -> None:
    with at_terminal(machine, "new", "shop") as terminal:
        answer(terminal, *answered)
        see(terminal, ["1. ", "2. ", "Press Enter"][len(answered)])
        see(terminal, ["1, 2, 3? ", "1, 2, 3? ", "celery: "][len(answered)])
        terminal.type(key)
        assert terminal.process.wait(60) == 130
        see(terminal, "\r\nInterrupted; nothing was created. Run the command again.")
        assert "Traceback" not in terminal.screen
    assert list(machine.here.iterdir()) == []


@pytest.mark.parametrize("option", ["--pattern=simple", "--with-celery", "--json"])
def test_a_complete_command_asks_nothing(option: str, machine: Machine) -> None:
    with at_terminal(machine, "new", "shop", "--no-git", option) as terminal:
        assert terminal.process.wait(60) == 0
        assert "1. " not in terminal.screen


@pytest.mark.parametrize("arguments", [["Shop"], ["taken"]])
def test_errors_come_before_the_questions(
    arguments: list[str], machine: Machine
) -> None:
    (machine.here / "taken").mkdir()
    (machine.here / "taken" / "notes.txt").touch()
    with at_terminal(machine, "new", *arguments) as terminal:
        assert terminal.process.wait(60) == 1
        see(terminal, "path")
        assert "1. " not in terminal.screen


def test_in_this_process(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same once more where coverage sees it."""
    typed = iter(["9", "2", "1", ""])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(typed))
    monkeypatch.setattr("bgscaffold.new.wizard.is_interactive", lambda: True)
    assert "pattern async.\n" in run("new", "shop", "--no-git").out
    shutil.rmtree(machine.here / "shop")
    typed = iter(["2", "1", ""])
    assert run("new", "shop", "--no-git", "--with-ai").out.endswith(
        "\nEquivalent command: bgscaffold new shop --pattern=async --ci=github --with-ai --no-git"
        "\nAlso available: --with-schedule (tasks that run on a schedule)\n"
    )

    def leave(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", leave)
    done = run("new", "other")
    assert (done.code, done.err.splitlines()[0]) == (
        130,
        "Interrupted; nothing was created. Run the command again.",
    )
    assert [path.name for path in Path(machine.here).iterdir()] == ["shop"]


BOTH = (
    "--with-schedule (tasks that run on a schedule), --with-ai (documents and a chat)"
)


@pytest.mark.parametrize(
    ("schedule", "ai", "line"),
    [
        (False, False, f"\nAlso available: {BOTH}"),
        (True, False, "\nAlso available: --with-ai (documents and a chat)"),
        (True, True, ""),
    ],
)
def test_one_line_names_the_other_features(schedule: bool, ai: bool, line: str) -> None:
    project = ProjectSpec("shop", Path("shop"), Pattern.SAFE, schedule=schedule, ai=ai)
    assert wizard.other_features_hint(project) == line


def test_without_questions_no_features_are_named(run: Run) -> None:
    done = run("new", "shop", "--no-git")
    assert done.out.splitlines()[-1].startswith(
        "Equivalent command: bgscaffold new shop "
    )


@pytest.mark.parametrize("stream", ["sys.stdin", "sys.stdout"])
def test_a_closed_stream_is_no_terminal(
    stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, None)
    possible = wizard.is_interactive()
    monkeypatch.undo()
    assert not possible

"""The wizard of `new`: two questions lead to an advice, which Enter accepts."""

import sys
from dataclasses import dataclass, replace

from bgscaffold.patterns import Pattern
from bgscaffold.project.spec import ProjectSpec
from bgscaffold.system.atomic_directory import require_free
from bgscaffold.system.console import echo
from bgscaffold.system.errors import CommandInterruptedError


@dataclass(frozen=True)
class Question:
    """A question of the wizard, and its possible answers."""

    text: str
    answers: tuple[str, ...]


QUESTIONS = (
    Question(
        "How long does your slowest task take? A server that is told to stop, as at every deploy,\n"
        "gets a grace to finish what runs: 30 seconds on most platforms.",
        (
            "a moment: a mail, a line in a log",
            "seconds, and it always ends within the grace",
            "longer than the grace, or nobody knows",
        ),
    ),
    Question(
        "May a task that was accepted be lost, when the process crashes or the machine goes down?",
        (
            "yes, now and then",
            "no",
            "no, and tasks need processes or machines of their own",
        ),
    ),
)

ADVICE = {
    (0, 0): (
        Pattern.SIMPLE,
        "Short work that may be lost needs no more than FastAPI itself.",
    ),
    (1, 0): (
        Pattern.ASYNC,
        "Tasks run concurrently and bounded, and finish within the grace.",
    ),
    (2, 0): (
        Pattern.SAFE,
        "What outlasts the grace would be lost at every deploy, not only in a crash.",
    ),
    (0, 1): (
        Pattern.SAFE,
        "Tasks wait in the database, so a crash loses none; no server is needed.",
    ),
    (1, 1): (
        Pattern.SAFE,
        "Tasks wait in the database, so a crash loses none; no server is needed.",
    ),
    (2, 1): (
        Pattern.SAFE,
        "Tasks wait in the database, and what a deploy cuts off runs again.",
    ),
    (0, 2): (
        Pattern.CELERY,
        "Workers run the tasks, on as many machines as you like; none is lost.",
    ),
    (1, 2): (
        Pattern.CELERY,
        "Workers run the tasks, on as many machines as you like; none is lost.",
    ),
    (2, 2): (
        Pattern.CELERY,
        "Workers run the tasks, apart from the API; its deploys stop none.",
    ),
}


def is_interactive() -> bool:
    """Tell whether somebody sits at a terminal who can be asked."""
    return all(
        stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)
    )


def ask_pattern(project: ProjectSpec) -> ProjectSpec:
    """Ask how the tasks of a project are, and return it with the pattern that was chosen."""
    require_free(project.destination)  # rather now than after the questions
    try:
        time, loss = (
            ask_question(number, question)
            for number, question in enumerate(QUESTIONS, 1)
        )
        return replace(project, pattern=confirm_pattern(*ADVICE[time, loss]))
    except (KeyboardInterrupt, EOFError) as error:
        echo("")  # what the terminal has shown of it, ^C or ^D, ends here
        raise CommandInterruptedError(str(project.destination)) from error


def other_features_hint(project: ProjectSpec) -> str:
    """Return a line with what could have been chosen besides the pattern; none when all was."""
    options = {
        "--with-schedule (tasks that run by the clock)": project.schedule,
        "--with-ai (documents and a chat)": project.ai,
    }
    left = [option for option, chosen in options.items() if not chosen]
    return f"\nThere is also: {', '.join(left)}" if left else ""


def ask_question(number: int, question: Question) -> int:
    """Ask one question until it is answered, and return the number of the answer, from 0."""
    echo(f"{number}. {question.text}")
    choices = [str(choice) for choice, _ in enumerate(question.answers, 1)]
    for choice, answer in zip(choices, question.answers, strict=True):
        echo(f"     {choice}  {answer}")
    return choices.index(read_choice(f"{', '.join(choices)}? ", choices))


def confirm_pattern(advice: Pattern, reason: str) -> Pattern:
    """Tell the advice with its reason, and return it, or the pattern that is wanted instead."""
    echo(f"Advice: {advice}. {reason}")
    return Pattern(
        read_choice(
            f"Enter takes {advice}; or type {other_patterns(advice)}: ", ["", *Pattern]
        )
        or advice
    )


def other_patterns(advice: Pattern) -> str:
    """Return the patterns that are not the advised one."""
    *most, last = (pattern for pattern in Pattern if pattern is not advice)
    return f"{', '.join(most)} or {last}"


def read_choice(prompt: str, allowed: list[str]) -> str:
    """Read a line until it is one of the allowed words."""
    while (answer := input(prompt).strip().lower()) not in allowed:
        echo(f"{answer!r} is none of these.")
    echo("")
    return answer

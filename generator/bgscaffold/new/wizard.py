"""The wizard of `bgscaffold new`: two questions lead to a recommended pattern."""

import sys
from dataclasses import dataclass, replace

from bgscaffold.patterns import Pattern
from bgscaffold.project.spec import ProjectSpec
from bgscaffold.system.atomic_directory import require_free
from bgscaffold.system.console import echo
from bgscaffold.system.errors import CommandInterruptedError


@dataclass(frozen=True)
class Question:
    """A question and its possible answers."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Advice:
    """A recommended pattern and the reason for it."""

    pattern: Pattern
    reason: str


QUESTIONS = (
    Question(
        "How long does your slowest task take? A server that is stopped, as in every\n"
        "deploy, has a grace period to finish its work: 30 seconds on most platforms.",
        (
            "a moment: a mail, a line in a log",
            "seconds, and always less than the grace period",
            "longer than the grace period, or unknown",
        ),
    ),
    Question(
        "May an accepted task be lost when the process crashes or the machine stops?",
        (
            "yes, now and then",
            "no",
            "no, and tasks need their own processes or machines",
        ),
    ),
)

IN_DATABASE = Advice(
    Pattern.SAFE, "Tasks wait in the database: a crash loses none. No server is needed."
)
ON_WORKERS = Advice(
    Pattern.CELERY, "Workers run the tasks on as many machines as you like."
)
# By the numbers of the two answers.
ADVICE = {
    (0, 0): Advice(Pattern.SIMPLE, "Short tasks that may be lost need only FastAPI."),
    (1, 0): Advice(Pattern.ASYNC, "Tasks run concurrently, up to a limit."),
    (2, 0): Advice(
        Pattern.SAFE,
        "Every deploy would lose tasks that outlast the grace period.",
    ),
    (0, 1): IN_DATABASE,
    (1, 1): IN_DATABASE,
    (2, 1): Advice(
        Pattern.SAFE,
        "Tasks wait in the database: one that a deploy cuts off runs again.",
    ),
    (0, 2): ON_WORKERS,
    (1, 2): ON_WORKERS,
    (2, 2): Advice(
        Pattern.CELERY,
        "Workers run the tasks, so a deploy of the API does not stop them.",
    ),
}


def is_interactive() -> bool:
    """Return whether the command runs in a terminal."""
    streams = (sys.stdin, sys.stdout)
    return all(stream is not None and stream.isatty() for stream in streams)


def ask_pattern(spec: ProjectSpec) -> ProjectSpec:
    """Ask the two questions, and return the spec with the chosen pattern."""
    require_free(spec.destination)  # before the questions, and not after them
    try:
        answers = [ask_question(n, each) for n, each in enumerate(QUESTIONS, 1)]
        duration, loss = answers
        return replace(spec, pattern=confirm_pattern(ADVICE[duration, loss]))
    except (KeyboardInterrupt, EOFError) as error:
        echo("")  # ends the line in which the terminal shows ^C or ^D
        raise CommandInterruptedError(str(spec.destination)) from error


def ask_question(number: int, question: Question) -> int:
    """Ask a question until it is answered; return the number of the answer, from 0."""
    echo(f"{number}. {question.text}")
    choices = [str(choice) for choice, _ in enumerate(question.answers, 1)]
    for choice, answer in zip(choices, question.answers, strict=True):
        echo(f"     {choice}  {answer}")
    return choices.index(read_choice(f"{', '.join(choices)}? ", choices))


def confirm_pattern(advice: Advice) -> Pattern:
    """Show the recommended pattern; return it, or the one that the user prefers."""
    echo(f"Recommended: {advice.pattern}. {advice.reason}")
    *most, last = (each for each in Pattern if each is not advice.pattern)
    others = f"{', '.join(most)} or {last}"
    prompt = f"Press Enter for {advice.pattern}, or type {others}: "
    return Pattern(read_choice(prompt, ["", *Pattern]) or advice.pattern)


def read_choice(prompt: str, choices: list[str]) -> str:
    """Read a line until it is one of the choices."""
    while (answer := input(prompt).strip().lower()) not in choices:
        allowed = ", ".join(filter(None, choices))
        echo(f"Not a choice: {answer!r}. Choose from {allowed}.")
    echo("")
    return answer


def other_features_hint(spec: ProjectSpec) -> str:
    """Return a line with the features that were not chosen, '' if all were."""
    features = {
        "--with-schedule (tasks that run on a schedule)": spec.schedule,
        "--with-ai (documents and a chat)": spec.ai,
    }
    others = [option for option, chosen in features.items() if not chosen]
    return f"\nAlso available: {', '.join(others)}" if others else ""

"""The wizard of `new`: two questions lead to an advice, which Enter accepts."""

import sys
from dataclasses import replace

from bgscaffold.errors import Interrupted
from bgscaffold.patterns import ADVICE, QUESTIONS, Pattern, Question
from bgscaffold.project import Project
from bgscaffold.say import say
from bgscaffold.staging import refuse_what_is_taken


def is_possible() -> bool:
    """Tell whether somebody sits at a terminal who can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def advised(project: Project) -> Project:
    """Ask how the tasks of a project are, and return it with the pattern that was chosen."""
    refuse_what_is_taken(project.destination)  # rather now than after the questions
    try:
        time, loss = (ask(number, question) for number, question in enumerate(QUESTIONS, 1))
        return replace(project, pattern=take(*ADVICE[time, loss]))
    except (KeyboardInterrupt, EOFError) as error:
        say("")  # what the terminal has shown of it, ^C or ^D, ends here
        raise Interrupted(str(project.destination)) from error


def also(project: Project) -> str:
    """Return a line with what could have been chosen besides the pattern; none when all was."""
    options = {
        "--with-schedule (tasks that run by the clock)": project.schedule,
        "--with-ai (documents and a chat)": project.ai,
    }
    left = [option for option, chosen in options.items() if not chosen]
    return f"\nThere is also: {', '.join(left)}" if left else ""


def ask(number: int, question: Question) -> int:
    """Ask one question until it is answered, and return the number of the answer, from 0."""
    say(f"{number}. {question.text}")
    choices = [str(choice) for choice, _ in enumerate(question.answers, 1)]
    for choice, answer in zip(choices, question.answers, strict=True):
        say(f"     {choice}  {answer}")
    return choices.index(read(f"{', '.join(choices)}? ", choices))


def take(advice: Pattern, reason: str) -> Pattern:
    """Tell the advice with its reason, and return it, or the pattern that is wanted instead."""
    say(f"Advice: {advice}. {reason}")
    return Pattern(
        read(f"Enter takes {advice}; or type {others(advice)}: ", ["", *Pattern]) or advice
    )


def others(advice: Pattern) -> str:
    """Return the patterns that are not the advised one."""
    *most, last = (pattern for pattern in Pattern if pattern is not advice)
    return f"{', '.join(most)} or {last}"


def read(prompt: str, allowed: list[str]) -> str:
    """Read a line until it is one of the allowed words."""
    while (answer := input(prompt).strip().lower()) not in allowed:
        say(f"{answer!r} is none of these.")
    say("")
    return answer

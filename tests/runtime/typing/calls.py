"""Calls that type checkers accept, and calls that they refuse."""

from typing import Annotated

from afterward import Background, BackgroundTasks, task
from afterward.backends.simple import Simple

background = Background(Simple())
BackgroundTasksDep = Annotated[BackgroundTasks, background.per_request]


@task("typing.send")
async def send(invoice_id: int, copies: int = 1) -> None:
    """Send an invoice."""


def right(tasks: BackgroundTasksDep) -> str:
    """Enqueue with right arguments."""
    tasks.add_task(send, 1)
    tasks.add_task(send, 1, copies=2)
    with background.tasks() as more:
        more.options(priority="high").add_task(send, invoice_id=3)
    return tasks.add_task(send, invoice_id=1)


def wrong(tasks: BackgroundTasksDep) -> None:
    """Enqueue with wrong arguments. Each line is an error."""
    tasks.add_task(send, wrong=1)  # error: unknown
    tasks.add_task(send, "1")  # error: another type
    tasks.add_task(send)  # error: missing
    tasks.options(priority="highest").add_task(send, 1)  # error: not a priority
    tasks.options(later=1).add_task(send, 1)  # error: not an option (not by ty)
    task("typing.other", retry=3)  # error: not an option (not by ty)

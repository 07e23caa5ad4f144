"""Tasks of the domain `actions`. A `def` task runs in a thread, so it may block."""

from afterward import task
from app.settings import settings


@task("actions.write_log")
def write_log(action_name: str) -> None:
    """Append one line with the action's name to the log."""
    settings.action_log.parent.mkdir(parents=True, exist_ok=True)
    with settings.action_log.open("a", encoding="utf-8") as log:
        log.write(f"{action_name}\n")

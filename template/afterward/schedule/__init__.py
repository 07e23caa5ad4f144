"""Scheduled tasks: `@task(cron=...)`."""

from afterward.settings import get_settings
from afterward.tasks import TASKS, Task


def tasks_to_schedule() -> list[Task]:
    """Return the tasks whose periods this process enqueues."""
    schedules = get_settings().schedules
    tasks = [task for task in TASKS.values() if "cron" in task.options]
    return [task for task in tasks if schedules(task.name)]

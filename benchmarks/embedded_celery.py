"""200 tasks on the embedded Celery default: from the first request until the last task is done."""

import sqlite3
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.table import seconds, show
from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects import environments
from tests.projects.dev import Dev

RUNS = 3
TASKS = 200


def main() -> None:
    """Measure, each time in a new project."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environments.shared(folder, "highest")
        runs: dict[str, list[float]] = {"requests answered": [], "tasks succeeded": []}
        for n in range(RUNS):
            project = helpers.render("celery", "none", folder / f"project-{n}")
            with environment.dev(project) as dev:
                dev.wait_until_succeeded(
                    dev.post("/actions", action_name="the worker is there")
                )
                answered = seconds(partial(request, dev))
                runs["requests answered"].append(answered)
                runs["tasks succeeded"].append(answered + seconds(partial(finish, dev)))
        print(f"{TASKS} tasks")
        show(runs)


def request(dev: Dev) -> None:
    """Send the requests, one after another."""
    for n in range(TASKS):
        dev.post("/actions", action_name=f"action {n}")


def finish(dev: Dev) -> None:
    """Wait until every task has succeeded."""
    until(
        lambda: succeeded(dev.folder / "var" / "app.db") == TASKS + 1,
        lambda: dev.screen,
    )


def succeeded(database: Path) -> int:
    """Count the task runs that have succeeded."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM task_runs WHERE state = 'succeeded'"
        count: int = connection.execute(query).fetchone()[0]
    return count


if __name__ == "__main__":
    main()

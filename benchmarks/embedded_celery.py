"""200 tasks with the embedded broker, from the first request to the last success."""

import sqlite3
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.table import seconds, show
from bgscaffold.verify.suite.waiting import until
from tests import helpers
from tests.projects.dev import Dev
from tests.projects.environments import Installation, InstalledEnvironment

RUNS = 3
TASKS = 200


def main() -> None:
    """Measure several times, each in a new project."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = InstalledEnvironment(folder, Installation())
        runs: dict[str, list[float]] = {"responses": [], "successes": []}
        for n in range(RUNS):
            project = helpers.render("celery", "none", folder / f"project-{n}")
            with environment.dev(project) as dev:
                first = dev.post("/actions", action_name="the worker has started")
                dev.wait_until_succeeded(first)
                answered = seconds(partial(send_requests, dev))
                runs["responses"].append(answered)
                finished = seconds(partial(wait_for_successes, dev))
                runs["successes"].append(answered + finished)
        print(f"{TASKS} tasks")
        show(runs)


def send_requests(dev: Dev) -> None:
    """Send the requests, one after another."""
    for n in range(TASKS):
        dev.post("/actions", action_name=f"action {n}")


def wait_for_successes(dev: Dev) -> None:
    """Wait until every task has succeeded."""
    database = dev.folder / "var" / "app.db"
    until(lambda: count_successes(database) == TASKS + 1, lambda: dev.screen)


def count_successes(database: Path) -> int:
    """Return how many task runs have succeeded."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM task_runs WHERE state = 'succeeded'"
        count: int = connection.execute(query).fetchone()[0]
    return count


if __name__ == "__main__":
    main()

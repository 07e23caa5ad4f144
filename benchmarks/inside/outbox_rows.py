"""Runs inside a generated project: fills its outbox, and measures statements on it."""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from itertools import chain, repeat
from statistics import median
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

REPEATS = 20  # of a statement in one turn
WAITING = 900  # rows that are due and unclaimed
DEAD = 100  # the other rows have succeeded
BATCH = 5_000

background = import_module("app.background").background
claims = import_module("afterward.outbox.claims")
queries = import_module("afterward.outbox.queries")
models = import_module("afterward.outbox.models")
database = background.database
task_runs = models.task_runs


def main(size: int) -> None:
    """Fill the table, and print the median seconds of each statement that is named."""
    import_module("app.database").migrate()
    background.domains.import_tasks()
    fill(size)
    some = database.execute(sa.select(task_runs.c.id).limit(200))
    ids = chain.from_iterable(repeat(some))
    statements: dict[str, Callable[[], sa.Executable]] = {
        "status": lambda: queries.get_run(next(ids).id),
        "list": lambda: queries.list_runs(100),
        "list of dead runs": lambda: queries.list_runs(100, state="dead"),
        "list by name": lambda: queries.list_runs(100, name="actions.write_log"),
        "claim": lambda: claims.claim_due(1),
        "sweep without orphans": claims.discard_orphans,
    }
    print(json.dumps(list(statements)), flush=True)
    for line in sys.stdin:
        print(measure(statements[line.rstrip("\n")]), flush=True)


def measure(statement: Callable[[], sa.Executable]) -> float:
    """Return the median seconds of a statement in a transaction of its own."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        database.execute(statement())
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def fill(size: int) -> None:
    """Replace the rows of the table by this number of rows."""
    database.execute(task_runs.delete())
    for start in range(0, size, BATCH):
        rows = [row(number, size) for number in range(start, min(start + BATCH, size))]
        with database.sync_engine.begin() as connection:
            connection.execute(task_runs.insert(), rows)
    with database.sync_engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("ANALYZE")


def row(number: int, size: int) -> dict[str, Any]:
    """Return one row. The last ones wait, and the first ones are dead."""
    moment = models.now() - timedelta(seconds=size - number)
    waits = number >= size - WAITING
    return {
        "id": str(uuid4()),
        "name": "actions.write_log" if number % 2 else "signup.send_welcome",
        "arguments": {"args": ["x"], "kwargs": {}},
        "state": "pending" if waits else "dead" if number < DEAD else "succeeded",
        "priority": 0,
        "attempts": 0 if waits else 1,
        "retries": 3,
        "released": 0,
        "cancel_requested": False,
        "publishes": 0,
        "due_at": moment,
        "created_at": moment,
        "finished_at": None if waits else moment,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]))

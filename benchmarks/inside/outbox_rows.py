"""Runs inside a generated project: fills its outbox, and times what it is asked to, again and again."""

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

import sqlalchemy as sa  # type: ignore[import-not-found]  # the project has it

TIMES = 20  # statements of one turn
WAITING = 900  # of all rows: due, and claimed by nobody
DEAD = 100  # of all rows; the others are done
BATCH = 5_000

database = import_module("app.database")
import_module("app.domains").import_tasks()
outbox = import_module("app.background.outbox")
upkeep = import_module("app.background.upkeep")
task_runs = import_module("app.background.table").task_runs


def main(size: int) -> None:
    """Fill the table up to this size; then, for each name that is read, print a median in seconds."""
    database.migrate()
    fill(size)
    ids = chain.from_iterable(
        repeat(database.execute(sa.select(task_runs.c.id).limit(200)))
    )
    statements: dict[str, Callable[[], sa.Executable]] = {
        "status": lambda: upkeep.one(next(ids).id),
        "list": lambda: upkeep.page(100, None, None, None),
        "list of the dead": lambda: upkeep.page(100, "dead", None, None),
        "list by name": lambda: upkeep.page(100, None, "actions.write_log", None),
        "claim of one": lambda: outbox.claim_first(1),
        "sweep that finds nobody dead": outbox.bury,
    }
    print(json.dumps(list(statements)), flush=True)
    for line in sys.stdin:
        print(timed(statements[line.rstrip("\n")]), flush=True)


def timed(statement: Callable[[], sa.Executable]) -> float:
    """Return the median time of a statement, in a transaction of its own."""
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        database.execute(statement())
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def fill(size: int) -> None:
    """Make the table hold so many rows."""
    database.execute(task_runs.delete())
    for start in range(0, size, BATCH):
        rows = [row(number, size) for number in range(start, min(start + BATCH, size))]
        with database.sync_engine().begin() as connection:
            connection.execute(task_runs.insert(), rows)
    with database.sync_engine().connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("ANALYZE")


def row(number: int, size: int) -> dict[str, Any]:
    """Return one row: the last ones wait, the first ones are dead."""
    moment = outbox.now() - timedelta(seconds=size - number)
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

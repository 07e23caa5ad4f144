"""Runs inside a generated project: fills its outbox, and times what is asked of it."""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from statistics import median
from typing import Any
from uuid import uuid4

import sqlalchemy as sa  # type: ignore[import-not-found]  # the project has it

ROUNDS = 200
WARM = 50
WAITING = 500  # of all rows: due, and claimed by nobody
DEAD = 200  # of all rows; the others are done
BATCH = 5_000

database = import_module("app.database")
import_module("app.domains").import_tasks()
outbox = import_module("app.background.outbox")
upkeep = import_module("app.background.upkeep")
task_runs = import_module("app.background.table").task_runs


def main(size: int) -> None:
    """Fill the table up to this size, and print the median seconds of each statement."""
    database.migrate()
    fill(size)
    ids = database.execute(sa.select(task_runs.c.id).limit(ROUNDS))
    turn = iter(range(10**9))
    measured = {
        "status": timed(lambda: upkeep.one(ids[next(turn) % ROUNDS].id)),
        "list": timed(lambda: upkeep.page(100, None, None, None)),
        "list of the dead": timed(lambda: upkeep.page(100, "dead", None, None)),
        "list by name": timed(lambda: upkeep.page(100, None, "actions.write_log", None)),
        "claim of one": timed(lambda: outbox.claim_first(1)),
        "sweep that finds nobody dead": timed(outbox.bury),
    }
    print(json.dumps(measured))


def timed(statement: Callable[[], sa.Executable]) -> float:
    """Return the median time of a statement, in a transaction of its own."""
    for _ in range(WARM):
        database.execute(statement())
    seconds = []
    for _ in range(ROUNDS):
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

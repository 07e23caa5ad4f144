"""What the tests of `template/afterward` share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from types import FunctionType
from typing import Any, Unpack, cast
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from afterward import tasks
from afterward.database import Database
from afterward.outbox import claims
from afterward.outbox.claims import ClaimedRun
from afterward.outbox.insert import NO_DELAY, insert_runs
from afterward.outbox.models import now, row, task_runs
from afterward.tasks import CallOptions, Task, TaskOptions, TaskRun

TIMEOUT = 30.0  # seconds; only a failing test waits that long
AddTask = Callable[..., Task]


def wait_for(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Return the first true value of a condition."""
    started = time.monotonic()
    while not (value := condition()):
        if time.monotonic() - started > timeout:
            raise AssertionError(f"waited {timeout} s for: {what}")
        time.sleep(0.01)
    return value


def nothing() -> None:
    """Do nothing."""


def add_task_to(monkeypatch: pytest.MonkeyPatch) -> AddTask:
    """Return a function that registers tasks until the monkeypatch is undone."""

    def add(
        func: Callable[..., Any] = nothing,
        name: str = "test.run",
        **options: Unpack[TaskOptions],
    ) -> Task:
        task = Task(name, func, signature(func), options)
        monkeypatch.setitem(tasks.TASKS, name, task)
        monkeypatch.setitem(tasks._TASKS_BY_FUNCTION, cast("FunctionType", func), task)
        return task

    return add


def run_of(task: Task, *args: Any, **options: Unpack[CallOptions]) -> TaskRun:
    """Return a task run with arguments that nobody has checked."""
    return TaskRun(str(uuid4()), task, list(args), {}, options)


@dataclass(frozen=True)
class Outbox:
    """The outbox of a database, as tests use it."""

    database: Database

    def insert(self, *runs: TaskRun, head_start: timedelta = NO_DELAY) -> list[str]:
        """Insert task runs that are due after the head start, and return their ids."""
        with Session(self.database.sync_engine) as session, session.begin():
            insert_runs(session, list(runs), head_start)
        return [run.task_id for run in runs]

    def claim(self, task_id: str) -> list[ClaimedRun]:
        """Claim a task run, if it can be claimed."""
        condition = claims.is_due() & (row.id == task_id)
        found = self.database.execute(claims.claim(condition))
        return [ClaimedRun.from_row(each) for each in found]

    def stored(self, task_id: str) -> Any:
        """Return the row of a task run."""
        [found] = self.rows(task_id)
        return found

    def rows(self, *task_ids: str) -> list[Any]:
        """Return rows in the order of these ids, or all rows."""
        found = {each.id: each for each in self.database.execute(sa.select(task_runs))}
        return [found[task_id] for task_id in task_ids or found]

    def states(self, *task_ids: str) -> list[str]:
        """Return the states of task runs."""
        return [found.state for found in self.rows(*task_ids)]

    def execute(self, statement: Any) -> int:
        """Execute a statement, and return how many rows it has changed."""
        with self.database.sync_engine.begin() as connection:
            return connection.execute(statement).rowcount

    def update(self, task_id: str, **values: Any) -> None:
        """Change the row of a task run."""
        changed = task_runs.update().where(row.id == task_id).values(values)
        assert self.execute(changed) == 1

    def end_lease(self, task_id: str) -> None:
        """Let the lease of a task run end now."""
        self.update(task_id, due_at=now())

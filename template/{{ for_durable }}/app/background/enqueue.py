"""Enqueuing: what becomes a row of the outbox, once for each idempotency key."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.background.outbox import PRIORITIES, row
from app.background.settings import settings
from app.background.table import ARGUMENTS, task_runs
from app.background.task import EnqueueError, TaskRun

SUPPORTED = frozenset(
    ["retries", "timeout", "retry_on", "discard_on", "key", "run_at", "priority", "status"]
)


class KeyReusedError(EnqueueError):
    """An idempotency key that stands for a call with other arguments."""

    status = 422


def insert(session: Session, runs: list[TaskRun], head_start: timedelta = timedelta(0)) -> None:
    """Insert task runs into the session's transaction; of a key that is known, nothing.

    Raises:
        KeyReusedError: The key was used with other arguments.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = dialect.insert(task_runs).on_conflict_do_nothing()
    session.execute(new, [_values(run, head_start) for run in runs])
    keyed = {run.task_id: run for run in runs if run.options.get("key")}
    known = sa.select(row.id, ARGUMENTS).where(row.id.in_(keyed))
    for found in session.execute(known) if keyed else ():
        run = keyed[found.id]
        if not _same(found.arguments, _arguments(run)):
            raise KeyReusedError(
                f"The idempotency key {run.options['key']!r} was used for {run.task.name!r} with"
                " other arguments. Send the same ones, or another key."
            )


def _same(stored: str, arguments: dict[str, Any]) -> bool:
    with suppress(ValueError):  # as text, in which 1 is neither true nor 1.0
        known, given = (
            json.dumps(each, sort_keys=True) for each in (json.loads(stored), arguments)
        )
        return known == given
    return False


def _values(run: TaskRun, head_start: timedelta) -> dict[str, Any]:
    run_at = run.options.get("run_at")
    return {
        "id": run.task_id,
        "name": run.task.name,
        "arguments": _arguments(run),
        "priority": PRIORITIES[run.options.get("priority", "normal")],
        "retries": run.task.options.get("retries", settings.task_retries),
        "due_at": run_at or run.created_at + head_start,
        "created_at": run.created_at,
        "run_at": run_at,
    }


def _arguments(run: TaskRun) -> dict[str, Any]:
    return {"args": run.args, "kwargs": run.kwargs}

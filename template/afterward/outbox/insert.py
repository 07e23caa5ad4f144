"""Inserting task runs, one row for each idempotency key."""

import json
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from afterward.errors import KeyReusedError
from afterward.outbox.models import ARGUMENTS, PRIORITIES, row, task_runs
from afterward.settings import get_settings
from afterward.tasks import TaskRun

NO_DELAY = timedelta(0)


def insert_runs(
    session: Session, runs: list[TaskRun], head_start: timedelta = NO_DELAY
) -> None:
    """Insert task runs into the session's transaction. A known key inserts nothing.

    Args:
        session: The session whose transaction decides.
        runs: The task runs.
        head_start: How long only this process may claim them.

    Raises:
        KeyReusedError: A key was used before with other arguments.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(task_runs).on_conflict_do_nothing()
    session.execute(statement, [_values(run, head_start) for run in runs])
    keyed = {run.task_id: run for run in runs if run.options.get("key")}
    if keyed:
        _check_keys(session, keyed)


def _check_keys(session: Session, keyed: dict[str, TaskRun]) -> None:
    stored = sa.select(row.id, ARGUMENTS).where(row.id.in_(keyed))
    for found in session.execute(stored):
        run = keyed[found.id]
        if not _is_equal(found.arguments, run.arguments):
            raise KeyReusedError(
                f"The idempotency key {run.options.get('key')!r} was used for"
                f" {run.task.name!r} with other arguments. Send the same arguments, or"
                " use another key."
            )


def _is_equal(stored: str, arguments: dict[str, Any]) -> bool:
    """Compare as text, because in Python 1, 1.0 and True are equal."""
    try:
        known = json.dumps(json.loads(stored), sort_keys=True)
    except ValueError:
        return False
    return known == json.dumps(arguments, sort_keys=True)


def _values(run: TaskRun, head_start: timedelta) -> dict[str, Any]:
    run_at = run.options.get("run_at")
    default_retries = get_settings().task_retries
    return {
        "id": run.task_id,
        "name": run.task.name,
        "arguments": run.arguments,
        "priority": PRIORITIES[run.options.get("priority", "normal")],
        "retries": run.task.options.get("retries", default_retries),
        "due_at": run_at or run.created_at + head_start,
        "created_at": run.created_at,
        "run_at": run_at,
    }

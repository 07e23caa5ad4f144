"""What people ask of the outbox: status, lists, cancel, retry."""

from datetime import datetime

import sqlalchemy as sa

from afterward.backend import BackendStatus
from afterward.database import Database
from afterward.outbox.models import (
    COLUMNS,
    OPEN,
    WAITING,
    UTCDateTime,
    now,
    row,
    state_in,
    task_runs,
)

LATE_SECONDS = 30.0  # a row that waits longer means that nobody starts task runs


def get_run(task_id: str) -> sa.Executable:
    """Select a task run."""
    return sa.select(*COLUMNS).where(row.id == task_id)


def list_runs(
    limit: int,
    state: str | None = None,
    name: str | None = None,
    before: tuple[datetime, str] | None = None,
) -> sa.Executable:
    """Select task runs, the newest first.

    Args:
        limit: The size of a page.
        state: Only this state.
        name: Only this task.
        before: `created_at` and id of the last run on the page before.
    """
    order = (row.created_at.desc(), row.id.desc())
    found = sa.select(*COLUMNS).order_by(*order).limit(limit)
    if state:
        found = found.where(row.state == state)
    if name:
        found = found.where(row.name == name)
    if before:
        bound = sa.tuple_(
            sa.bindparam("at", before[0], row.created_at.type),
            sa.bindparam("id", before[1], row.id.type),
        )
        found = found.where(sa.tuple_(row.created_at, row.id) < bound)
    return found


def cancel(task_id: str) -> sa.Update:
    """Cancel a waiting run now. Of a running one, ask its process to cancel it."""
    is_waiting = row.state.in_(WAITING)
    return (
        task_runs.update()
        .where(row.id == task_id, row.state.in_(OPEN))
        .values(
            state=sa.case((is_waiting, "cancelled"), else_=row.state),
            finished_at=sa.case((is_waiting, now())),
            cancel_requested=True,
        )
        .returning(*COLUMNS)
    )


def cancel_requested(task_ids: list[str]) -> sa.Executable:
    """Select those of these task runs that somebody asked to cancel."""
    return sa.select(row.id).where(row.id.in_(task_ids), row.cancel_requested)


def retry(task_id: str) -> sa.Update:
    """Let a dead or cancelled task run start again, with all its retries."""
    return (
        task_runs.update()
        .where(row.id == task_id, row.state.in_(("dead", "cancelled")))
        .values(
            state="pending",
            due_at=now(),
            released=row.attempts,
            cancel_requested=False,
            finished_at=None,
            publish_again_at=None,
        )
        .returning(*COLUMNS)
    )


async def outbox_status(database: Database, runner: str) -> BackendStatus:
    """Return the depth of the outbox.

    Args:
        database: The application's database.
        runner: Degraded when rows have been due for a long time.
    """
    oldest = sa.func.min(row.due_at, type_=UTCDateTime()).label("due_at")
    depth = (
        sa.select(row.state, sa.func.count().label("number"), oldest)
        .where(state_in(OPEN))
        .group_by(row.state)
    )
    async with database.engine.connect() as connection:
        found = list(await connection.execute(depth))
    waits = [
        (now() - each.due_at).total_seconds() for each in found if each.state in WAITING
    ]
    longest = max([0.0, *waits])
    return BackendStatus(
        degraded=[runner] if longest > LATE_SECONDS else [],
        open_runs=dict.fromkeys(OPEN, 0) | {each.state: each.number for each in found},
        oldest_seconds=longest,
    )

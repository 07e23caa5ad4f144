"""What is asked of the outbox besides running its tasks: to look, to cancel, to retry, to clean."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app import database, monitoring
from app.background.outbox import OPEN, WAITING, now, row, state_in
from app.background.settings import settings
from app.background.table import COLUMNS, Moment, task_runs
from app.monitoring import Attempt

CLEANED_AT_A_TIME = 1000
LATE = 30.0  # seconds that a task may wait before whoever should start it is called degraded


def one(task_id: str) -> sa.Select[Any]:
    """Select a task run."""
    return sa.select(*COLUMNS).where(row.id == task_id)


def page(
    limit: int, state: str | None, name: str | None, before: tuple[datetime, str] | None
) -> sa.Select[Any]:
    """Select the newest task runs, or those before the last one of another page."""
    found = sa.select(*COLUMNS).order_by(row.created_at.desc(), row.id.desc()).limit(limit)
    if state:
        found = found.where(row.state == state)
    if name:
        found = found.where(row.name == name)
    if before:
        bound = sa.tuple_(
            *map(sa.bindparam, ("at", "id"), before, (row.created_at.type, row.id.type))
        )
        found = found.where(sa.tuple_(row.created_at, row.id) < bound)
    return found


def cancel(task_id: str) -> sa.Update:
    """Cancel what waits at once; of what runs, ask the process that runs it."""
    waits = row.state.in_(WAITING)
    return (
        task_runs.update()
        .where(row.id == task_id, row.state.in_(OPEN))
        .values(
            state=sa.case((waits, "cancelled"), else_=row.state),
            finished_at=sa.case((waits, now())),
            cancel_requested=True,
        )
        .returning(*COLUMNS)
    )


def cancel_requested(task_ids: list[str]) -> sa.Select[Any]:
    """Select those of these task runs that somebody wants to end."""
    return sa.select(row.id).where(row.id.in_(task_ids), row.cancel_requested)


def retry(task_id: str) -> sa.Update:
    """Let a dead or cancelled task run begin anew, with all its retries."""
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


def clean() -> sa.Executable:
    """Delete some of what ended well, or was cancelled, over TASK_RETENTION days ago."""
    before = now() - timedelta(days=settings.task_retention)
    old = sa.select(row.id).where(row.finished_at < before, row.state != "dead")
    old = old.limit(CLEANED_AT_A_TIME)
    return task_runs.delete().where(row.id.in_(old)).returning(row.id)


def delete_old_task_runs() -> None:
    """Delete them all, some at a time. For `def` code: it blocks."""
    while database.execute(clean()):
        pass


def report_buried(buried: Iterable[sa.Row[Any]]) -> None:
    """Tell of the task runs that ended because their process died."""
    for found in buried:
        died = RuntimeError("The process died while running this task.")
        Attempt(found.name, found.id, found.attempts).failed(died, found.state)


async def report(who: str) -> monitoring.Report:
    """Return how deep the outbox is; `who` is degraded when nobody starts what is due."""
    oldest = sa.func.min(row.due_at, type_=Moment()).label("due_at")
    depth = sa.select(row.state, sa.func.count().label("number"), oldest).where(state_in(OPEN))
    async with database.engine().connect() as connection:
        found = list(await connection.execute(depth.group_by(row.state)))
    waits = [(now() - each.due_at).total_seconds() for each in found if each.state in WAITING]
    late = [who] if (longest := max([0.0, *waits])) > LATE else []
    depths = dict.fromkeys(OPEN, 0) | {each.state: each.number for each in found}
    return monitoring.Report(late, depths, longest)

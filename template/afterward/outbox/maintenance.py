"""Maintenance: pruning old rows, orphans, and clocks that were set back."""

from collections.abc import Iterable
from datetime import timedelta
from time import monotonic
from typing import Any

import sqlalchemy as sa

from afterward.database import Database
from afterward.observability.attempts import Attempt
from afterward.outbox.claims import longest_backoff
from afterward.outbox.models import OPEN, PRIORITIES, now, row, state_in, task_runs
from afterward.settings import get_settings

PRUNE_BATCH = 1000
PRUNE_INTERVAL = 3600.0  # seconds
CLOCK_TOLERANCE = timedelta(minutes=1)  # by which the clocks of machines may differ


def prune(database: Database) -> None:
    """Delete succeeded and cancelled runs older than TASK_RETENTION days. It blocks."""
    while database.execute(_delete_old_rows()):
        pass


def _delete_old_rows() -> sa.Executable:
    before = now() - timedelta(days=get_settings().task_retention)
    old = (
        sa.select(row.id)
        .where(row.finished_at < before, row.state != "dead")
        .limit(PRUNE_BATCH)
    )
    return task_runs.delete().where(row.id.in_(old)).returning(row.id)


def report_orphans(orphans: Iterable[sa.Row[Any]]) -> None:
    """Log, count and report the runs that `discard_orphans` has ended."""
    for found in orphans:
        died = RuntimeError("The process died while running this task.")
        attempt = Attempt(task=found.name, task_id=found.id, number=found.attempts)
        attempt.fail(died, found.state)


class ClockSkewDetector:
    """Detects that the clock of this machine was set back.

    A row says in `due_at` when somebody may claim it. If the clock that wrote it was an
    hour ahead and is corrected, a row that was due at once would wait for an hour.
    """

    def __init__(self) -> None:
        self._latest = now()
        # The clock may have been set back just before this process started.
        self._until = monotonic() + get_settings().task_lease

    def is_detected(self) -> bool:
        """Return whether requests may still write moments of the old clock."""
        if now() < self._latest - CLOCK_TOLERANCE:
            self._until = monotonic() + get_settings().task_lease
        self._latest = now()
        return monotonic() < self._until


def reset_future_due_dates() -> sa.Update:
    """Let no row wait longer than a lease and its longest backoff, except for `run_at`."""
    lease = get_settings().lease
    limits = {
        attempts: now() + CLOCK_TOLERANCE + max(lease, longest_backoff(attempts))
        for attempts in range(22)
    }
    limit = sa.case(limits, value=row.attempts, else_=limits[21])
    is_delayed_on_purpose = row.run_at.is_not(None) & (row.run_at > now())
    return (
        task_runs.update()
        .where(state_in(OPEN), row.priority.in_(PRIORITIES.values()))
        .where(~is_delayed_on_purpose)
        .where(row.due_at > now() + lease + CLOCK_TOLERANCE)  # uses the index
        .where(row.due_at > limit)
        .values(due_at=now() + lease)
    )

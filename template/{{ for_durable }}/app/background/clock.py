"""What is mended when the clock of a machine is set back.

A row says in `due_at` when somebody may claim it. When the clock that wrote it was an hour ahead,
and is right again, what was due at once would wait for that hour.
"""

from datetime import timedelta
from time import monotonic

import sqlalchemy as sa

from app.background.outbox import OPEN, PRIORITIES, now, row, state_in
from app.background.settings import settings
from app.background.table import longest_backoff, task_runs

SLACK = timedelta(minutes=1)  # by which the clocks of machines may differ


class Clock:
    """Notices that the clock of this machine has been set back."""

    def __init__(self) -> None:
        self._latest = now()
        self._until = monotonic() + settings.task_lease  # at first: it may have been, before

    def was_set_back(self) -> bool:
        """Tell whether it was, for as long as requests may end that had read it before."""
        if now() < self._latest - SLACK:
            self._until = monotonic() + settings.task_lease
        self._latest = now()
        return monotonic() < self._until


def put_right() -> sa.Update:
    """Let nothing wait for longer than a lease and the longest backoff, unless that was asked."""
    lease = timedelta(seconds=settings.task_lease)
    until = {n: now() + SLACK + max(lease, longest_backoff(n)) for n in range(22)}
    asked = row.run_at.is_not(None) & (row.run_at > now())
    return (
        task_runs.update()
        .where(state_in(OPEN), row.priority.in_(PRIORITIES.values()), ~asked)
        .where(row.due_at > now() + lease + SLACK)  # which is what the index is asked for
        .where(row.due_at > sa.case(until, value=row.attempts, else_=until[21]))
        .values(due_at=now() + lease)
    )

"""Results of a claim: its lease, its progress and its outcome.

Each statement names the attempt. A process that lost the lease changes nothing.
"""

import traceback
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from afterward.outbox.claims import ClaimedRun
from afterward.outbox.models import now, row, task_runs
from afterward.settings import get_settings

MAX_TEXT = 10_000  # characters of an error, a traceback or a note


def renew_leases(claims: Iterable[ClaimedRun]) -> list[sa.Update]:
    """Extend the leases of these claims."""
    until = now() + get_settings().lease
    return [_held_by(claim).values(due_at=until) for claim in claims]


def save_progress(claim: ClaimedRun, fraction: float, note: str) -> sa.Update:
    """Save how far a claim is."""
    return _held_by(claim).values(progress=fraction, progress_note=_storable([note]))


def mark_succeeded(claim: ClaimedRun) -> sa.Update:
    """Finish a claim whose task has returned."""
    return _held_by(claim).values(
        state="succeeded",
        finished_at=now(),
        progress=1.0,
        error=None,
        traceback=None,
    )


def mark_failed(
    claim: ClaimedRun, error: BaseException, backoff: timedelta
) -> sa.Update:
    """Save a failure, and retry after the backoff or, if no attempt follows, end dead."""
    if claim.should_retry(error):
        values = {**_unless_cancelled("retrying"), "due_at": now() + backoff}
    else:
        values = {"state": "dead", "finished_at": now()}
    return _held_by(claim).values(
        **values,
        error=_storable(traceback.format_exception_only(error)),
        traceback=_storable(traceback.format_exception(error)),
    )


def mark_cancelled(claim: ClaimedRun) -> sa.Update:
    """Finish a claim whose task was cancelled on request."""
    return _held_by(claim).values(state="cancelled", finished_at=now())


def release(claim: ClaimedRun) -> sa.Update:
    """Give a claim back because this process stops. The attempt does not count."""
    return _held_by(claim).values(
        **_unless_cancelled("pending"), due_at=now(), released=row.released + 1
    )


def refund_attempt(claim: ClaimedRun) -> sa.Update:
    """Do not count an attempt, but keep its lease, because its thread still runs."""
    return _held_by(claim).values(released=row.released + 1)


def _unless_cancelled(state: str) -> dict[str, Any]:
    return {
        "state": sa.case((row.cancel_requested, "cancelled"), else_=state),
        "finished_at": sa.case((row.cancel_requested, now())),
    }


def _held_by(claim: ClaimedRun) -> sa.Update:
    return task_runs.update().where(
        row.id == claim.run.task_id,
        row.attempts == claim.number,
        row.state == "running",
    )


def _storable(lines: list[str]) -> str:
    """Join lines without what a database cannot store: NUL, surrogates, megabytes."""
    text = "".join(lines).strip().replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace").decode()[-MAX_TEXT:]

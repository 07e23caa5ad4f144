"""What becomes of a claim: its lease is renewed, its progress noted, and in the end its outcome.

Each statement is fenced by the attempt: whoever lost the lease, and was overtaken, changes nothing.
"""

import traceback
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.background.outbox import now, row
from app.background.settings import settings
from app.background.table import Claim, task_runs


def renew(claims: Iterable[Claim]) -> list[sa.Update]:
    """Keep the leases of these claims."""
    until = now() + timedelta(seconds=settings.task_lease)
    return [_mine(claim).values(due_at=until) for claim in claims]


def note_progress(claim: Claim, fraction: float, note: str) -> sa.Update:
    """Note how far a claim has come."""
    return _mine(claim).values(progress=fraction, progress_note=_text([note]))


def succeed(claim: Claim) -> sa.Update:
    """Finish a claim whose task has returned."""
    done = {"state": "succeeded", "finished_at": now(), "progress": 1.0}
    return _mine(claim).values(**done, error=None, traceback=None)


def fail(claim: Claim, error: BaseException, wait: timedelta) -> sa.Update:
    """Note the failure: retry it after the wait or, if no attempt follows, declare it dead."""
    again = {**_unless_cancelled("retrying"), "due_at": now() + wait}
    return _mine(claim).values(
        **(again if claim.repeats(error) else {"state": "dead", "finished_at": now()}),
        error=_text(traceback.format_exception_only(error)),
        traceback=_text(traceback.format_exception(error)),
    )


def stop(claim: Claim) -> sa.Update:
    """Finish a claim whose task was cancelled, as somebody had asked."""
    return _mine(claim).values(state="cancelled", finished_at=now())


def release(claim: Claim) -> sa.Update:
    """Give a claim back because this process stops: the attempt does not count."""
    again = _unless_cancelled("pending")
    return _mine(claim).values(due_at=now(), released=row.released + 1, **again)


def _unless_cancelled(state: str) -> dict[str, Any]:
    return {
        "state": sa.case((row.cancel_requested, "cancelled"), else_=state),
        "finished_at": sa.case((row.cancel_requested, now())),
    }


def excuse(claim: Claim) -> sa.Update:
    """Let an attempt not count, but keep the lease: the thread that runs it cannot be stopped."""
    return _mine(claim).values(released=row.released + 1)


def _mine(claim: Claim) -> sa.Update:
    return task_runs.update().where(
        row.id == claim.run.task_id, row.attempts == claim.attempt, row.state == "running"
    )


def _text(lines: list[str]) -> str:
    """Join the lines, without what a database cannot store: NUL, half characters, megabytes."""
    text = "".join(lines).strip().replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace").decode()[-10_000:]

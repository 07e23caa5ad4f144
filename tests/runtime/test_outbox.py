"""The outbox: what its statements promise, on SQLite and on PostgreSQL."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from afterward.database import Database
from afterward.outbox import claims, heartbeat, insert, maintenance, results
from afterward.outbox.models import now, row, task_runs
from afterward.settings import Settings
from afterward.tasks import TaskOptions
from tests.runtime.helpers import AddTask, Outbox, run_of, wait_for


@pytest.fixture
def claimable(outbox: Outbox, add_task: AddTask) -> str:
    """Insert a task run that nothing executes, and return its id."""
    [task_id] = outbox.insert(run_of(add_task()))
    return task_id


def test_only_one_of_many_gets_the_claim(outbox: Outbox, claimable: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        claimed = list(threads.map(outbox.claim, [claimable] * 16))
    assert sorted(len(found) for found in claimed) == [0] * 15 + [1]


def test_a_process_that_lost_its_lease_changes_nothing(
    outbox: Outbox, claimable: str
) -> None:
    [slow] = outbox.claim(claimable)
    outbox.end_lease(claimable)
    [fast] = outbox.claim(claimable)
    late = [
        results.mark_failed(slow, ValueError("late"), timedelta(0)),
        results.mark_succeeded(slow),
        results.mark_cancelled(slow),
        results.release(slow),
        results.refund_attempt(slow),
        results.save_progress(slow, 0.5, ""),
        *results.renew_leases([slow]),
    ]
    assert [outbox.execute(statement) for statement in late] == [0] * 7
    assert outbox.execute(results.mark_succeeded(fast)) == 1
    found = outbox.stored(claimable)
    assert (found.state, found.attempts, found.released) == ("succeeded", 2, 0)


def test_a_task_that_kills_its_process_is_dead_after_its_retries(
    outbox: Outbox, claimable: str, settings: Settings
) -> None:
    for _ in range(1 + settings.task_retries):
        assert len(outbox.claim(claimable)) == 1
        outbox.end_lease(claimable)
    assert outbox.claim(claimable) == []
    outbox.execute(claims.discard_orphans())
    found = outbox.stored(claimable)
    error = "The process died while running this task."
    assert (found.state, found.error) == ("dead", error)


def test_an_orphan_with_a_request_to_cancel_is_cancelled(
    outbox: Outbox, claimable: str
) -> None:
    outbox.claim(claimable)
    outbox.update(claimable, cancel_requested=True)
    outbox.end_lease(claimable)
    assert outbox.claim(claimable) == []
    outbox.execute(claims.discard_orphans())
    assert outbox.states(claimable) == ["cancelled"]


def test_the_last_attempt_after_crashes_is_claimed_alone(
    outbox: Outbox, add_task: AddTask
) -> None:
    task = add_task(retries=1)
    suspects = outbox.insert(run_of(task), run_of(task))
    for task_id in suspects:
        outbox.claim(task_id)
        outbox.end_lease(task_id)
    [innocent] = outbox.insert(run_of(task))
    usual = outbox.database.execute(claims.claim_due(10))
    last = outbox.database.execute(claims.claim_last_attempt())
    assert [found.id for found in usual] == [innocent]
    assert [found.id in suspects for found in last] == [True]


def test_a_release_does_not_count_as_an_attempt(
    outbox: Outbox, claimable: str, settings: Settings
) -> None:
    for _ in range(2 + settings.task_retries):
        [claimed] = outbox.claim(claimable)
        outbox.execute(results.release(claimed))
    [claimed] = outbox.claim(claimable)
    assert claimed.retries_left == settings.task_retries


@pytest.mark.parametrize("statement", [results.release, results.mark_failed])
def test_a_run_that_somebody_cancelled_does_not_start_again(
    outbox: Outbox, claimable: str, statement: Any
) -> None:
    [claimed] = outbox.claim(claimable)
    outbox.update(claimable, cancel_requested=True)
    failure = (ValueError(), timedelta(0)) if statement is results.mark_failed else ()
    assert outbox.execute(statement(claimed, *failure)) == 1
    found = outbox.stored(claimable)
    assert (found.state, found.finished_at is None) == ("cancelled", False)


@pytest.mark.parametrize(
    ("options", "is_retried"),
    [
        ({}, True),
        ({"retry_on": OSError}, True),
        ({"retry_on": KeyError}, False),
        ({"discard_on": ConnectionError}, False),
        ({"discard_on": KeyError}, True),
        ({"retries": 0}, False),
    ],
)
def test_only_transient_errors_are_retried(
    outbox: Outbox, add_task: AddTask, options: TaskOptions, is_retried: bool
) -> None:
    [task_id] = outbox.insert(run_of(add_task(**options)))
    [claimed] = outbox.claim(task_id)
    assert claimed.should_retry(ConnectionError()) is is_retried
    outbox.execute(results.mark_failed(claimed, ConnectionError("gone"), timedelta(0)))
    found = outbox.stored(task_id)
    expected = "retrying" if is_retried else "dead"
    assert (found.state, found.error) == (expected, "ConnectionError: gone")


def test_the_first_to_be_claimed_are_those_of_high_priority(
    outbox: Outbox, add_task: AddTask
) -> None:
    task = add_task()
    priorities: list[Literal["low", "normal", "high"]]
    priorities = ["low", "normal", "high", "normal"]
    ids = outbox.insert(*(run_of(task, priority=each) for each in priorities))
    claimed = [
        found.id for _ in ids for found in outbox.database.execute(claims.claim_due(1))
    ]
    assert claimed == [ids[n] for n in (2, 1, 3, 0)]


def test_a_run_with_a_moment_of_its_own_waits_for_it(
    outbox: Outbox, add_task: AddTask
) -> None:
    later = now() + timedelta(hours=1)
    [task_id] = outbox.insert(run_of(add_task(), run_at=later))
    assert outbox.claim(task_id) == []
    found = outbox.stored(task_id)
    assert (found.run_at, found.due_at) == (later, later)


@pytest.mark.parametrize(
    ("found", "is_reset"),
    [
        ({"state": "pending"}, True),
        ({"state": "retrying", "attempts": 1}, True),
        ({"state": "running", "attempts": 1}, True),
        ({"state": "retrying", "attempts": 20}, False),  # its backoff may be an hour
        ({"state": "pending", "run_at": now() + timedelta(hours=1)}, False),
        ({"state": "running", "run_at": now() - timedelta(hours=1)}, True),
        ({"state": "succeeded"}, False),
    ],
)
def test_no_row_waits_because_the_clock_was_set_back(
    outbox: Outbox,
    claimable: str,
    settings: Settings,
    found: dict[str, Any],
    is_reset: bool,
) -> None:
    in_an_hour = now() + timedelta(hours=1)
    outbox.update(claimable, due_at=in_an_hour, **found)
    outbox.execute(maintenance.reset_future_due_dates())
    due_at = outbox.stored(claimable).due_at
    assert due_at == in_an_hour or due_at <= now() + settings.lease
    assert (due_at < in_an_hour) is is_reset


def test_a_clock_that_was_set_back_is_detected_while_a_lease_lasts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, past = now(), [0.0]
    monkeypatch.setattr(maintenance, "now", lambda: wall)
    monkeypatch.setattr(maintenance, "monotonic", lambda: past[0])
    clock = maintenance.ClockSkewDetector()
    detected = [clock.is_detected()]  # whatever happened before the start
    for minutes in (0, -1, -3, 0, 0):
        wall += timedelta(minutes=minutes)
        past[0] += settings.task_lease / 2
        detected.append(clock.is_detected())
    assert detected == [True, True, False, True, True, False]


def test_a_row_with_unreadable_arguments_fails_alone(
    outbox: Outbox, claimable: str
) -> None:
    outbox.update(claimable, arguments=sa.text("'[1]'"))
    [claimed] = outbox.claim(claimable)
    with pytest.raises(ValueError, match=r"are not what add_task wrote: '\[1\]'"):
        claimed.run.task.func(*claimed.run.args)


def test_old_rows_are_pruned_and_the_dead_are_kept(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    task = add_task()
    states = ("succeeded", "cancelled", "dead", "pending")
    ids = outbox.insert(*(run_of(task) for _ in states))
    old = now() - timedelta(days=settings.task_retention + 1)
    for task_id, state in zip(ids, states, strict=True):
        finished_at = None if state == "pending" else old
        outbox.update(task_id, state=state, finished_at=finished_at)
    maintenance.prune(outbox.database)
    assert {found.id for found in outbox.rows()} == set(ids[2:])


def test_pruning_deletes_in_batches(
    outbox: Outbox, add_task: AddTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "PRUNE_BATCH", 2)
    task = add_task()
    old = now() - timedelta(days=100)
    for task_id in outbox.insert(*(run_of(task) for _ in range(5))):
        outbox.update(task_id, state="succeeded", finished_at=old)
    maintenance.prune(outbox.database)
    assert outbox.rows() == []


def test_a_claim_reads_only_open_rows(database: Database) -> None:
    engine = database.sync_engine
    if engine.dialect.name != "sqlite":
        return  # PostgreSQL plans by the number of rows, and there are none
    options = {"render_postcompile": True}
    statement = claims.claim_due(5).compile(engine, compile_kwargs=options)
    with engine.connect() as connection:
        names = statement.positiontup or ()
        values = tuple(str(statement.params[name]) for name in names)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        steps = [step[3] for step in plan if "due" in step[3]]
    search = "SEARCH task_runs USING INDEX ix_task_runs_due (priority=? AND due_at<?)"
    assert steps == [search] * 3


def test_postgresql_plans_a_claim_once(database: Database) -> None:
    options = {"render_postcompile": True}
    compiled = claims.claim_due(5).compile(database.sync_engine, compile_kwargs=options)
    lookups = re.findall(r"priority = (-?\d) .*?LIMIT (\d+)", str(compiled), re.DOTALL)
    assert lookups == [("1", "5"), ("0", "5"), ("-1", "5")]


@pytest.mark.parametrize(
    ("kwargs", "is_equal"),
    [
        ({"a": 1, "b": 2}, True),
        ({"b": 2, "a": True}, False),
        ({"a": 1.0, "b": 2}, False),
    ],
)
def test_arguments_of_a_key_are_compared_as_text(
    kwargs: dict[str, Any], is_equal: bool
) -> None:
    stored = '{"args": [], "kwargs": {"b": 2, "a": 1}}'
    assert insert._is_equal(stored, {"args": [], "kwargs": kwargs}) is is_equal
    assert not insert._is_equal("no JSON", {"args": [], "kwargs": kwargs})


def test_any_error_can_be_stored(outbox: Outbox, claimable: str) -> None:
    [claimed] = outbox.claim(claimable)
    error = ValueError("\0 \ud800 " + "x" * 20_000)
    assert outbox.execute(results.mark_failed(claimed, error, timedelta(0))) == 1
    found = outbox.stored(claimable)
    assert (found.state, len(found.error)) == ("retrying", 10_000)


def test_a_lease_is_renewed_whatever_else_fails(
    outbox: Outbox, claimable: str, settings: Settings
) -> None:
    [claimed] = outbox.claim(claimable)
    outbox.end_lease(claimable)
    settings.task_lease = 0.3
    process = heartbeat.Heartbeat(outbox.database)
    process.track(claimed)
    process._set_progress(claimed, 0.5, 7)  # type: ignore[arg-type]  # no row can hold it
    until = outbox.stored(claimable).due_at
    wait_for(lambda: outbox.stored(claimable).due_at > until, "the renewal")
    process.untrack(claimed)


def test_progress_is_saved_and_a_request_to_cancel_is_delivered_once(
    outbox: Outbox, claimable: str, settings: Settings
) -> None:
    from afterward import progress

    [claimed] = outbox.claim(claimable)
    settings.task_sweep = 0.01
    process = heartbeat.Heartbeat(outbox.database)
    cancelled: list[str] = []
    process.track(claimed, lambda: cancelled.append(claimed.run.task_id))
    progress(0.5, "half way")
    wait_for(lambda: outbox.stored(claimable).progress == 0.5, "the progress")
    assert outbox.stored(claimable).progress_note == "half way"
    outbox.update(claimable, cancel_requested=True)
    wait_for(lambda: cancelled, "the request to cancel")
    process.untrack(claimed)
    progress(0.9)  # after the task: ignored
    process._beat()
    assert (cancelled, outbox.stored(claimable).progress) == ([claimable], 0.5)


def test_a_sweep_without_a_pause_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0.01"):
        Settings(task_sweep=1e-9)


def test_the_backoff_doubles_up_to_an_hour(settings: Settings) -> None:
    waits = [
        claims.longest_backoff(attempt).total_seconds() for attempt in range(1, 16)
    ]
    assert waits == [min(2.0**n, 3600) for n in range(15)]
    settings.task_backoff = 0.5
    assert claims.longest_backoff(1).total_seconds() == 0.5


def test_the_table_has_what_its_migration_creates(database: Database) -> None:
    inspector = sa.inspect(database.sync_engine)
    present = {
        (each["name"], each["nullable"]) for each in inspector.get_columns("task_runs")
    }
    assert present == {(each.name, each.nullable) for each in task_runs.columns}
    assert {index["name"] for index in inspector.get_indexes("task_runs")} == {
        f"ix_task_runs_{name}"
        for name in ("due", "lease", "published", "served", "ended")
        + ("created", "state", "name")
    }
    assert row.id.primary_key

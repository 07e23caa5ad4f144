"""What the durable patterns promise beyond the contract: nothing accepted is lost."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text, update

from app import database
from app.actions.tasks import write_log
from app.background import (
    EnqueueError,
    background_tasks,
    clock,
    enqueue,
    outbox,
    outcome,
    progress,
    task,
    upkeep,
)
from app.background.lease import Leases
from app.background.outbox import now, row
from app.background.settings import BackgroundSettings, settings
from app.background.table import Claim, task_runs
from app.background.task import TASKS, TaskOptions
from app.database import sync_engine
from tests.servers import Project, wait_for

NAME = "actions.write_log"


def test_the_status_of_a_task_run_that_succeeded(server: Project) -> None:
    [task_id, _] = server.post("/contract/notes/async/status").json()
    found = server.status(task_id)
    assert found.pop("duration") >= 0
    assert found.pop("created_at") <= found.pop("started_at") <= found.pop("finished_at")
    assert found == {
        "task_id": task_id,
        "name": "contract.note",
        "state": "succeeded",
        "attempts": 1,
        "progress": 1.0,
        "progress_note": None,
        "cancel_requested": False,
        "run_at": None,
        "arguments": {"args": ["status def"], "kwargs": {}},
        "error": None,
        "traceback": None,
    }


def test_a_sweep_without_a_pause_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0.01"):
        BackgroundSettings(task_sweep=1e-9)


@pytest.mark.parametrize(("task_id", "code"), [(uuid4(), 404), ("1", 422)])
def test_the_status_of_what_is_no_task_run(server: Project, task_id: object, code: int) -> None:
    answer = server.get(f"/tasks/{task_id}")
    assert (answer.status_code, answer.json()["status"]) == (code, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_failing_task_is_retried_until_it_succeeds_or_is_dead(server: Project) -> None:
    flaky = server.post("/contract/flaky/flaky?failures=1").json()
    hopeless = server.post("/contract/flaky/hopeless?failures=99").json()
    ends = [server.status(task_id) for task_id in (flaky, hopeless)]
    assert [(end["state"], end["attempts"]) for end in ends] == [("succeeded", 2), ("dead", 2)]
    assert (server.marks("flaky"), server.marks("hopeless")) == (["flaky"] * 2, ["hopeless"] * 2)
    why = "SELECT error, traceback FROM task_runs WHERE state = 'dead' AND error LIKE '%hopeless'"
    [(error, traceback)] = server.query(why)
    assert error == "ConnectionError: hopeless"
    assert traceback.startswith("Traceback (most recent call last):")


def test_no_row_without_the_commit(server: Project) -> None:
    server.post("/contract/tables")
    count = "SELECT count(*) FROM task_runs WHERE name = 'contract.note'"  # which both enqueue
    before = server.query(count)
    assert server.post("/contract/commit/rowless").status_code == 500
    assert server.post("/contract/raise/rowless?status=409").status_code == 409
    assert server.query(count) == before


@pytest.fixture
def claimable(migrated: None) -> str:
    """Insert a task run that nothing executes, and return its id."""
    with background_tasks() as tasks:
        task_id = tasks.add_task(write_log, "never run")
    end_lease(task_id)
    return task_id


def claim(task_id: str) -> list[Claim]:
    """Claim a task run, if it can be claimed."""
    found = database.execute(outbox.claim(outbox.due() & (row.id == task_id)))
    return [Claim.of(one) for one in found]


def stored(task_id: str) -> Any:
    """Return the row of a task run."""
    [found] = database.execute(select(task_runs).where(row.id == task_id))
    return found


def execute(statement: Any) -> int:
    """Execute a statement, and return how many rows it has changed."""
    with sync_engine().begin() as connection:
        return connection.execute(statement).rowcount


def end_lease(task_id: str) -> None:
    """Let the lease of a task run end now."""
    assert execute(update(task_runs).where(row.id == task_id).values(due_at=now())) == 1


def test_only_one_of_many_gets_the_claim(claimable: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(claim, [claimable] * 16))
    assert sorted(len(found) for found in claims) == [0] * 15 + [1]


def test_who_was_overtaken_changes_nothing(claimable: str) -> None:
    [slow] = claim(claimable)
    end_lease(claimable)
    [fast] = claim(claimable)
    assert execute(outcome.fail(slow, ValueError("late"), timedelta(0))) == 0
    assert [execute(statement) for statement in outcome.renew([slow])] == [0]
    assert execute(outcome.succeed(fast)) == 1
    assert (stored(claimable).state, stored(claimable).attempts) == ("succeeded", 2)


def test_a_task_that_kills_its_process_is_buried_after_its_retries(claimable: str) -> None:
    for _ in range(1 + settings.task_retries):
        assert len(claim(claimable)) == 1
        end_lease(claimable)
    assert claim(claimable) == []
    execute(outbox.bury())
    assert (stored(claimable).state, stored(claimable).error) == (
        "dead",
        "The process died while running this task.",
    )


def test_a_release_does_not_count_as_an_attempt(claimable: str) -> None:
    for _ in range(2 + settings.task_retries):
        [claimed] = claim(claimable)
        execute(outcome.release(claimed))
    [claimed] = claim(claimable)
    assert claimed.retries_left == settings.task_retries


@pytest.mark.parametrize(
    ("options", "repeated"),
    [
        ({}, True),
        ({"retry_on": OSError}, True),
        ({"retry_on": KeyError}, False),
        ({"discard_on": ConnectionError}, False),
        ({"discard_on": KeyError}, True),
    ],
)
def test_only_transient_errors_are_repeated(
    claimable: str, options: TaskOptions, repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, NAME, replace(TASKS[NAME], options=options))
    [claimed] = claim(claimable)
    assert claimed.repeats(ConnectionError()) is repeated
    execute(outcome.fail(claimed, ConnectionError("gone"), timedelta(0)))
    found = stored(claimable)
    assert (found.state, found.error) == (
        "retrying" if repeated else "dead",
        "ConnectionError: gone",
    )


def test_the_first_to_be_claimed_are_those_of_high_priority(migrated: None) -> None:
    execute(task_runs.delete())
    priorities: list[Literal["low", "normal", "high"]] = ["low", "normal", "high", "normal"]
    with background_tasks() as tasks:
        ids = [tasks.options(priority=each).add_task(write_log, "x") for each in priorities]
    execute(update(task_runs).values(due_at=row.created_at))
    order = [2, 1, 3, 0]
    assert [found.id for _ in ids for found in database.execute(outbox.claim_first(1))] == [
        ids[n] for n in order
    ]


@pytest.mark.parametrize(
    ("found", "mended"),
    [
        ({"state": "pending"}, True),
        ({"state": "retrying", "attempts": 1}, True),
        ({"state": "running", "attempts": 1}, True),
        ({"state": "retrying", "attempts": 20}, False),  # whose backoff may be an hour
        ({"state": "pending", "run_at": now() + timedelta(hours=1)}, False),
        ({"state": "running", "run_at": now() - timedelta(hours=1)}, True),
        ({"state": "succeeded"}, False),
    ],
)
def test_what_would_wait_because_the_clock_was_set_back(
    claimable: str, found: dict[str, Any], mended: bool
) -> None:
    in_an_hour = now() + timedelta(hours=1)
    execute(update(task_runs).where(row.id == claimable).values(due_at=in_an_hour, **found))
    execute(clock.put_right())
    lease = timedelta(seconds=settings.task_lease)
    assert stored(claimable).due_at == in_an_hour or stored(claimable).due_at <= now() + lease
    assert (stored(claimable).due_at < in_an_hour) is mended


def test_a_clock_that_is_set_back_is_noticed_for_the_time_of_a_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall, past = now(), [0.0]
    monkeypatch.setattr(clock, "now", lambda: wall)
    monkeypatch.setattr(clock, "monotonic", lambda: past[0])
    ours = clock.Clock()
    noticed = [ours.was_set_back()]  # whatever it did before the start
    for minutes in (0, -1, -3, 0, 0):
        wall += timedelta(minutes=minutes)
        past[0] += settings.task_lease / 2
        noticed.append(ours.was_set_back())
    assert noticed == [True, True, False, True, True, False]


def test_a_row_with_unreadable_arguments_fails_alone(claimable: str) -> None:
    execute(update(task_runs).where(row.id == claimable).values(arguments=text("'[1]'")))
    [claimed] = claim(claimable)
    with pytest.raises(ValueError, match=r"are not what add_task wrote: '\[1\]'"):
        claimed.run.task.func(*claimed.run.args)


def test_old_task_runs_are_deleted_and_the_dead_are_kept(migrated: None) -> None:
    execute(task_runs.delete())
    with background_tasks() as tasks:
        ids = [tasks.add_task(write_log, "x") for _ in range(4)]
    old = now() - timedelta(days=settings.task_retention + 1)
    for task_id, state in zip(ids, ("succeeded", "cancelled", "dead", "pending"), strict=True):
        ended = None if state == "pending" else old
        execute(update(task_runs).where(row.id == task_id).values(state=state, finished_at=ended))
    assert {found.id for found in database.execute(upkeep.clean())} == set(ids[:2])


def test_a_claim_reads_only_the_rows_that_are_open(migrated: None) -> None:
    if sync_engine().dialect.name != "sqlite":
        return  # PostgreSQL plans by what is there, and nothing is
    options = {"render_postcompile": True}
    statement = outbox.claim_first(5).compile(sync_engine(), compile_kwargs=options)
    with sync_engine().connect() as connection:
        values = tuple(map(str, (statement.params[name] for name in statement.positiontup or ())))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        steps = [step[3] for step in plan if "due" in step[3]]
    look = "SEARCH task_runs USING INDEX ix_task_runs_due (priority=? AND due_at<?)"
    assert steps == [look] * 3


def test_postgresql_plans_a_claim_once_however_many_rows_there_are() -> None:
    options = {"render_postcompile": True}
    statement = str(outbox.claim_first(5).compile(sync_engine(), compile_kwargs=options))
    looks = re.findall(r"priority = (-?\d) .*?LIMIT (\d+)", statement, re.DOTALL)
    assert looks == [("1", "5"), ("0", "5"), ("-1", "5")]


def test_misspelt_options_are_refused() -> None:
    refusal = re.escape("@task('x.y'): unknown ['retry'], use ['cron', 'discard_on', 'queue',")
    with pytest.raises(TypeError, match=refusal):
        task("x.y", retry=3)  # type: ignore[call-arg]  # so does mypy


def test_a_note_must_be_a_text() -> None:
    with pytest.raises(TypeError, match=r"progress\(0.5, 7\): the note must be a text."):
        progress(0.5, 7)  # type: ignore[arg-type]  # so says mypy


@pytest.mark.parametrize(
    ("kwargs", "same"),
    [({"a": 1, "b": 2}, True), ({"b": 2, "a": True}, False), ({"a": 1.0, "b": 2}, False)],
)
def test_what_a_key_stands_for(kwargs: dict[str, Any], same: bool) -> None:
    stored = '{"args": [], "kwargs": {"b": 2, "a": 1}}'
    assert enqueue._same(stored, {"args": [], "kwargs": kwargs}) is same
    assert not enqueue._same("no JSON", {"args": [], "kwargs": kwargs})


def test_a_moment_needs_a_time_zone() -> None:
    with pytest.raises(EnqueueError, match="has no time zone: use datetime.now"):
        background_tasks().options(run_at=datetime(2030, 1, 1))


def test_any_error_can_be_stored(claimable: str) -> None:
    [claimed] = claim(claimable)
    error = ValueError("\0 \ud800 " + "x" * 20_000)
    assert execute(outcome.fail(claimed, error, timedelta(0))) == 1
    assert (stored(claimable).state, len(stored(claimable).error)) == ("retrying", 10_000)


def test_a_held_lease_is_renewed_whatever_else_fails(
    claimable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [claimed] = claim(claimable)
    end_lease(claimable)
    monkeypatch.setattr(settings, "task_lease", 0.3)
    leases = Leases()
    leases.hold(claimed)
    leases.note(claimed, 0.5, 7)  # type: ignore[arg-type]  # which no row can hold
    until = stored(claimable).due_at
    wait_for(lambda: stored(claimable).due_at > until, "the renewal of the lease")
    leases.drop(claimed)

"""Scheduled tasks by the real clock. The project's own are not scheduled."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.needs("schedule")
NAME = "bgscaffold_schedule.tick"
NO_BROKER = "redis://127.0.0.1:1/0"  # a schedule needs no broker


@pytest.fixture(scope="module")
def schedulers(shared_server: Server) -> Iterator[list[str]]:
    """Start two processes that schedule tasks, and return their names."""
    project = shared_server.project
    kind = "beat" if project.has_workers else "api"
    names = [kind, f"{kind}-2"]
    shared_server.start()
    shared_server.spawn(*names, BROKER_URL=NO_BROKER)
    yield names
    for name in names:
        if name not in project.processes:
            shared_server.kill(name)


@pytest.mark.lacks("durable")
def test_a_scheduled_task_runs_when_its_periods_begin(server: Server) -> None:
    server.wait_for_marks("tick", 2)
    assert len(enqueued(server, "api")) >= 2


@pytest.mark.needs("durable")
def test_two_processes_enqueue_each_period_and_it_runs_once(
    server: Server, schedulers: list[str]
) -> None:
    first, second = schedulers

    def shared() -> set[str]:
        return enqueued(server, first) & enqueued(server, second)

    until(lambda: len(shared()) >= 2, lambda: f"two periods, not {shared()}")
    server.wait_for_marks("tick", 2)
    marks = len(server.marks("tick"))
    attempts = attempts_of_runs(server)
    assert {run_id(period) for period in shared()} <= attempts.keys()
    assert attempts.keys() <= possible_ids(server)
    assert max(attempts.values()) == 1
    assert marks <= len(attempts)


@pytest.mark.needs("workers")
def test_beat_runs_no_task(server: Server, schedulers: list[str]) -> None:
    for beat in schedulers:
        server.wait_for_log(beat, f"{NAME}, period")
    server.wait_for_marks("tick")
    runners = {mark.split()[1] for mark in server.marks("tick")}
    beats = {str(server.processes[beat].pid) for beat in schedulers}
    assert not runners & beats


def enqueued(server: Server, scheduler: str) -> set[str]:
    """Return the periods that a process has enqueued."""
    line = rf"task {NAME}, period (\S+): enqueued"
    return set(re.findall(line, server.log(scheduler)))


def attempts_of_runs(server: Server) -> dict[UUID, int]:
    """Return the runs of the task, and how often each was attempted."""
    rows = server.database.rows(
        f"SELECT id, attempts FROM task_runs WHERE name = '{NAME}'"
    )
    return {UUID(str(task_id)): attempts for task_id, attempts in rows}


def run_id(period: str) -> UUID:
    """Return the id of a period's run, which its idempotency key determines."""
    return uuid5(NAMESPACE_URL, json.dumps([f"{NAME}@{period}", NAME]))


def possible_ids(server: Server) -> set[UUID]:
    """Return the ids of all periods since the server's start, and of the one before."""
    created = (server.folder / "afterward").stat().st_ctime
    start = datetime.fromtimestamp(created, UTC).replace(microsecond=0)
    seconds = int((datetime.now(UTC) - start).total_seconds()) + 2
    moments = [start + timedelta(seconds=n) for n in range(-1, seconds)]
    return {run_id(moment.isoformat()) for moment in moments}

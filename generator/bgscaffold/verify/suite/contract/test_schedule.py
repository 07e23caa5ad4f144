"""Scheduled tasks by the real clock. The project's own are not scheduled."""

import re

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.needs("schedule")
NAME = "bgscaffold_schedule.tick"
NO_BROKER = "redis://127.0.0.1:1/0"  # a schedule needs no broker


def enqueued(server: Server, scheduler: str) -> list[str]:
    """Return the periods that a process has enqueued."""
    return re.findall(rf"task {NAME}, period (\S+): enqueued", server.log(scheduler))


@pytest.mark.lacks("durable")
def test_a_scheduled_task_runs_when_its_periods_begin(server: Server) -> None:
    server.wait_for_marks("tick", 2)
    assert len(enqueued(server, "api")) >= 2


@pytest.mark.needs("durable")
def test_two_processes_enqueue_each_period_and_it_runs_once(server: Server) -> None:
    kind = "beat" if server.project.record.has_workers else "api"
    schedulers = [kind, f"{kind}-2"]
    server.spawn(*schedulers, BROKER_URL=NO_BROKER)

    def shared() -> set[str]:
        first, second = (set(enqueued(server, each)) for each in schedulers)
        return first & second

    until(lambda: len(shared()) >= 2, lambda: f"two periods, not {shared()}")
    periods = {p for each in schedulers for p in enqueued(server, each)}
    server.wait_for_marks("tick", 2)
    marks = len(server.marks("tick"))
    query = f"SELECT attempts FROM task_runs WHERE name = '{NAME}'"
    attempts = [found for (found,) in server.database.rows(query)]
    assert marks <= len(attempts)
    # Between two queries a period may begin, and the lookback has one before the first.
    assert len(periods) <= len(attempts) <= len(periods) + 3
    assert max(attempts) == 1
    for scheduler in {*schedulers} - {"api"}:
        server.kill(scheduler)


@pytest.mark.needs("workers")
def test_beat_runs_no_task(server: Server) -> None:
    server.spawn("beat", BROKER_URL=NO_BROKER)
    server.wait_for_log("beat", f"{NAME}, period")
    server.wait_for_marks("tick")
    processes = {mark.split()[1] for mark in server.marks("tick")}
    assert str(server.processes["beat"].pid) not in processes
    server.kill("beat")

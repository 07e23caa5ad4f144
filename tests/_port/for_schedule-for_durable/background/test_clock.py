"""Schedules by the real clock: two processes look after the same tasks, and each period runs once."""

import re
from datetime import datetime, timedelta
from inspect import signature
from uuid import UUID

import pytest
from sqlalchemy import select

from app import database
from app.background import background_tasks
from app.background.backend import backend
from app.background.door import id_of_key
from app.background.outbox import now, row
from app.background.periods import scheduled
from app.background.table import task_runs
from app.background.task import _BY_FUNCTION, TASKS, Task
from tests.servers import Project, wait_for

NAME = "scheduled.tick"
NOWHERE = "redis://127.0.0.1:1/0"  # a broker that is down: to look at the clock takes none
CLOCKS = ["beat", "beat-2"] if "queue" in backend.supports else ["api", "api-2"]


def enqueued(server: Project, clock: str) -> set[str]:
    """Return the periods that a process says it has enqueued."""
    return set(re.findall(rf"task {NAME}, period (\S+): enqueued", server.log(clock)))


def attempts(server: Project) -> dict[UUID, int]:
    """Return the task runs of all periods, and how often each has been attempted."""
    rows = server.query(f"SELECT id, attempts FROM task_runs WHERE name = '{NAME}'")
    return {UUID(str(found.id)): found.attempts for found in rows}


def id_of(period: str) -> UUID:
    """Return the id of a period's task run."""
    return UUID(id_of_key(f"{NAME}@{period}", NAME))


def ids_of_all(first: datetime, last: datetime) -> set[UUID]:
    """Return the ids of the periods between two moments."""
    lasted = range(int((last - first).total_seconds()) + 1)
    return {id_of((first + timedelta(seconds=n)).isoformat()) for n in lasted}


@pytest.mark.spawns(*CLOCKS, BROKER_URL=NOWHERE)
def test_two_processes_enqueue_each_period_and_it_runs_once(server: Project) -> None:
    first, second = CLOCKS
    wait_for(lambda: len(enqueued(server, first) & enqueued(server, second)) > 1, "both")
    server.wait_for_marks("tick", 2)
    said = enqueued(server, first) | enqueued(server, second)
    marks, runs = len(server.marks("tick")), attempts(server)
    begin = datetime.fromisoformat(min(said))
    possible = ids_of_all(begin - timedelta(seconds=1), now())
    assert {id_of(period) for period in said} <= runs.keys() <= possible
    assert max(runs.values()) == 1
    assert marks <= len(runs)
    own = {*CLOCKS} - {"api"}  # which other tests need
    for clock in own:
        server.terminate(clock)
    for clock in own:
        server.processes[clock].wait(10)


def nothing() -> None:
    """Do nothing."""


@pytest.mark.usefixtures("migrated")
def test_who_starts_again_neither_loses_a_period_nor_doubles_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hourly = Task("x.hourly", nothing, signature(nothing), {"cron": "0 * * * *"})
    moment = now()
    period = moment.replace(minute=0, second=0, microsecond=0)
    for registry, key in ((TASKS, hourly.name), (_BY_FUNCTION, nothing)):
        monkeypatch.setitem(registry, key, hourly)  # type: ignore[misc]  # of either kind
    for _ in range(2):
        [each] = [each for each in scheduled(moment) if each.task is hourly]
        assert each.due(moment) == period
        with background_tasks() as tasks:
            each.add(tasks, period)
    rows = database.execute(select(row.id).where(row.name == hourly.name))
    key = f"x.hourly@{period.isoformat()}"
    assert [found.id for found in rows] == [id_of_key(key, hourly.name)]
    database.execute(task_runs.delete().where(row.name == hourly.name))

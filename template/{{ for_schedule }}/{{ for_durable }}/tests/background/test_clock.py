"""Schedules by the real clock: two processes look after the same tasks, and each period runs once."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from inspect import signature
from pathlib import Path
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
CLOCKS = ["beat", "beat-2"] if "queue" in backend.supports else ["api", "api-2"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Run the processes of this project, and those that look at the clock twice."""
    started = Project(tmp_path / "clock", Path(__file__).parent / "scheduled", TASK_SWEEP="0.05")
    try:
        started.start()
        started.spawn(*CLOCKS)
        yield started
    finally:
        started.close()


def enqueued(project: Project, clock: str) -> set[str]:
    """Return the periods that a process says it has enqueued."""
    return set(re.findall(rf"task {NAME}, period (\S+): enqueued", project.log(clock)))


def id_of(period: str) -> UUID:
    """Return the id of a period's task run."""
    return UUID(id_of_key(f"{NAME}@{period}", NAME))


def test_two_processes_enqueue_each_period_and_it_runs_once(project: Project) -> None:
    first, second = CLOCKS
    wait_for(lambda: len(enqueued(project, first) & enqueued(project, second)) > 1, "both")
    project.wait_for_marks("tick", 2)
    for clock in CLOCKS:
        project.terminate(clock)
        project.processes[clock].wait()
    said = enqueued(project, first) | enqueued(project, second)
    begin, end = (datetime.fromisoformat(find(said)) for find in (min, max))
    lasted = range(-1, int((end - begin).total_seconds()) + 3)
    possible = {id_of((begin + timedelta(seconds=n)).isoformat()) for n in lasted}
    rows = project.query(f"SELECT id, attempts FROM task_runs WHERE name = '{NAME}'")
    found = [UUID(str(found.id)) for found in rows]
    assert {id_of(period) for period in said} <= set(found) <= possible
    assert max(found.attempts for found in rows) == 1
    assert len(project.marks("tick")) <= len(rows)


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

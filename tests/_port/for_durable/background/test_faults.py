"""Faults, on real processes: `uv run poe faults` runs these alone. Nothing accepted is lost."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tests.servers import Project, wait_for

pytestmark = pytest.mark.faults


def test_kill_9_loses_nothing(server: Project) -> None:
    gates = [f"killed-{n}" for n in range(30)]
    task_ids = {gate: server.post(f"/contract/wait/{gate}").json() for gate in gates}
    server.wait_for_marks("waiting killed", 2)  # some are running, the others are waiting
    server.kill(server.runner)
    [cut_off, *_] = server.marks("waiting killed")
    server.start()
    for gate in gates:
        server.open_gate(gate)
    passed = {f"passed {gate}" for gate in gates}
    wait_for(lambda: passed == set(server.marks("passed killed")), "every accepted task")
    ends = {gate: server.status(task_id) for gate, task_id in task_ids.items()}
    assert {end["state"] for end in ends.values()} == {"succeeded"}
    assert ends[cut_off.removeprefix("waiting ")]["attempts"] == 2


def test_a_database_that_is_away_for_longer_than_a_lease_makes_no_task_run_twice(
    server: Project,
) -> None:
    task_id = server.post("/contract/wait/held").json()
    server.wait_for_marks("waiting held")
    with server.locked_database():
        wait_for(lambda: lease_of(server, task_id) < datetime.now(UTC), "the end of the lease")
    wait_for(lambda: lease_of(server, task_id) > datetime.now(UTC), "its renewal")
    server.open_gate("held")
    assert server.status(task_id)["attempts"] == 1
    assert server.marks("waiting held") == ["waiting held"]


def lease_of(server: Project, task_id: str) -> datetime:
    """Return when the lease of a task run ends."""
    [(found,)] = server.query(f"SELECT due_at FROM task_runs WHERE id = '{UUID(task_id).hex}'")
    ends = datetime.fromisoformat(found) if isinstance(found, str) else found
    return ends.replace(tzinfo=ends.tzinfo or UTC)


def test_a_task_that_kills_its_process_takes_no_other_along(server: Project) -> None:
    innocent = server.post("/contract/wait/innocent").json()
    server.wait_for_marks("waiting innocent")
    deadly = server.post("/contract/die/deadly").json()
    server.wait_for_marks("deadly")
    server.open_gate("innocent")

    def dead() -> bool:
        with suppress(AssertionError):  # it may have ended again before it is seen to serve
            server.start()  # it ends with the task where the API runs it
        return stored(server, deadly) == "dead"

    wait_for(dead, "the end of the deadly task")
    assert server.marks("deadly") == ["deadly"] * 2
    server.start()
    assert server.status(innocent)["state"] == "succeeded"
    lost = server.status(deadly)
    why = "The process died while running this task."
    assert (lost["state"], lost["attempts"], lost["error"]) == ("dead", 2, why)


def stored(server: Project, task_id: str) -> str:
    """Return the state in the row of a task run, whether or not the API answers."""
    [(found,)] = server.query(f"SELECT state FROM task_runs WHERE id = '{UUID(task_id).hex}'")
    return str(found)


@pytest.mark.disrupts
def test_sigterm_releases_what_outlasts_the_grace(server: Project) -> None:
    task_id = server.post("/contract/wait-async/endless").json()
    server.wait_for_marks("waiting endless")
    runner = server.runner
    server.terminate(runner)
    query = f"SELECT state, attempts - released FROM task_runs WHERE id = '{UUID(task_id).hex}'"
    wait_for(lambda: server.query(query) == [("pending", 0)], "the release of the row")
    server.kill(runner)

"""Crashes: nothing that was accepted is lost."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.needs("durable")


def test_kill_9_loses_nothing(server: Server) -> None:
    gates = [f"killed-{n}" for n in range(30)]
    task_ids = {gate: server.enqueue(f"wait/{gate}") for gate in gates}
    server.wait_for_marks("waiting killed", 2)  # some run, the others wait
    server.kill(server.runner)
    [interrupted, *_] = server.marks("waiting killed")
    for gate in gates:
        server.open_gate(gate)
    server.start()
    passed = {f"passed {gate}" for gate in gates}
    until(lambda: passed == set(server.marks("passed killed")), lambda: "every task")
    ends = {gate: server.status(task_id) for gate, task_id in task_ids.items()}
    assert {end["state"] for end in ends.values()} == {"succeeded"}
    assert ends[interrupted.removeprefix("waiting ")]["attempts"] == 2


def test_a_database_that_is_down_for_longer_than_a_lease_doubles_nothing(
    server: Server,
) -> None:
    task_id = server.enqueue("wait/held")
    server.wait_for_marks("waiting held")
    with server.database.locked():
        until(
            lambda: lease_end(server, task_id) < datetime.now(UTC),
            lambda: "the end of the lease",
        )
    until(lambda: lease_end(server, task_id) > datetime.now(UTC), lambda: "its renewal")
    server.open_gate("held")
    assert server.status(task_id)["attempts"] == 1
    assert server.marks("waiting held") == ["waiting held"]


def test_a_task_that_ends_its_process_takes_no_other_with_it(server: Server) -> None:
    innocent = server.enqueue("wait/innocent")
    server.wait_for_marks("waiting innocent")
    crashing = server.enqueue("die/crashing")
    server.wait_for_marks("crashing")
    server.open_gate("innocent")

    def is_dead() -> bool:
        with suppress(AssertionError):  # it may end again before it serves
            server.start()  # where the API runs the task, it ends too
        return column(server, crashing, "state") == "dead"

    until(is_dead, lambda: "the end of the crashing task")
    assert server.marks("crashing") == ["crashing"] * 2
    server.start()
    assert server.status(innocent)["state"] == "succeeded"
    found = server.status(crashing)
    error = "The process died while running this task."
    ended = (found["state"], found["attempts"], found["error"])
    assert ended == ("dead", 2, error)


def column(server: Server, task_id: str, name: str) -> object:
    """Return a column of a task run, even if the API does not answer."""
    condition = f"id = '{UUID(task_id).hex}'"
    query = f"SELECT {name} FROM task_runs WHERE {condition}"
    [(found,)] = server.database.rows(query)
    return found


def lease_end(server: Server, task_id: str) -> datetime:
    """Return when the lease of a task run ends."""
    found = column(server, task_id, "due_at")
    end = found if isinstance(found, datetime) else datetime.fromisoformat(str(found))
    return end.replace(tzinfo=end.tzinfo or UTC)

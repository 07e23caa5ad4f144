"""Shutdown: tasks get the grace period, and are then released or named."""

from uuid import UUID

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.disrupts
NAME = "bgscaffold_contract.wait_async"


@pytest.fixture
def endless(server: Server) -> str:
    """Stop the runner while two tasks run, and return the run that does not end.

    The other task ends within the grace period.
    """
    server.enqueue("wait/last")
    task_id: str = server.enqueue("wait-async/endless")
    server.wait_for_marks("waiting last")
    server.wait_for_marks("waiting endless")
    server.terminate(server.runner)
    server.open_gate("last")
    return task_id


@pytest.mark.needs("durable")
def test_a_task_finishes_or_is_released(server: Server, endless: str) -> None:
    assert server.wait_for_marks("passed last") == ["passed last"]
    condition = f"id = '{UUID(endless).hex}'"
    query = f"SELECT state, attempts - released FROM task_runs WHERE {condition}"
    rows = server.database.rows
    until(lambda: rows(query) == [("pending", 0)], lambda: f"{rows(query)}")
    server.kill(server.runner)


@pytest.mark.lacks("durable")
def test_a_task_finishes_or_is_named_in_the_log(server: Server, endless: str) -> None:
    assert server.wait_for_marks("passed last") == ["passed last"]
    server.wait_for_log("api", f"task {NAME} [{endless}] was cut off by the shutdown")
    server.kill("api")

"""Shutdown: SIGTERM lets tasks finish within the grace period, or releases them."""

from uuid import UUID

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.disrupts


def test_a_running_task_finishes(server: Server) -> None:
    server.enqueue("wait/last")
    server.wait_for_marks("waiting last")
    runner = server.runner
    server.terminate(runner)
    server.open_gate("last")
    assert server.wait_for_marks("passed last") == ["passed last"]
    server.kill(runner)


@pytest.mark.needs("durable")
def test_a_task_that_exceeds_the_grace_period_is_released(server: Server) -> None:
    task_id = server.enqueue("wait-async/endless")
    server.wait_for_marks("waiting endless")
    runner = server.runner
    server.terminate(runner)
    query = (
        "SELECT state, attempts - released FROM task_runs"
        f" WHERE id = '{UUID(task_id).hex}'"
    )
    rows = server.database.rows
    until(lambda: rows(query) == [("pending", 0)], lambda: f"{rows(query)}")
    server.kill(runner)


@pytest.mark.lacks("durable")
def test_a_task_that_exceeds_the_grace_period_is_named_in_the_log(
    server: Server,
) -> None:
    task_id = server.enqueue("wait-async/endless")
    server.wait_for_marks("waiting endless")
    server.terminate("api")
    name = f"bgscaffold_contract.wait_async [{task_id}]"
    server.wait_for_log("api", f"task {name} was cut off by the shutdown")
    server.kill("api")

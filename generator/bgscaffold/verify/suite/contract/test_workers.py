"""Workers: other processes than the API run the tasks."""

import re

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.waiting import until

pytestmark = pytest.mark.needs("workers")


def test_worker_and_api_know_the_same_tasks(server: Server) -> None:
    server.wait_for_log("worker", "[tasks]")
    server.wait_for_log("worker", " ready.")
    in_worker = re.findall(r"^  \. (\S+)", server.log("worker"), re.MULTILINE)
    in_api = server.get("/bgscaffold-contract/tasks").json()
    assert set(in_worker) == set(in_api)


def test_the_workers_log_has_the_ids_and_outcomes_of_task_runs(server: Server) -> None:
    task_id = server.enqueue("show")
    server.status(task_id)
    log = server.log("worker")
    assert f"Task bgscaffold_contract.show[{task_id}] received" in log
    succeeded = f"task bgscaffold_contract.show [{task_id}] succeeded: attempt 1"
    assert succeeded in log
    assert f"[{task_id}] succeeded in" not in log  # Celery's own line


def test_a_worker_serves_every_queue(server: Server) -> None:
    assert server.post("/bgscaffold-workers/elsewhere/served").status_code == 202
    assert server.wait_for_marks("served") == ["served"]


def test_a_def_task_is_interrupted_at_its_timeout(server: Server) -> None:
    task_id = server.post("/bgscaffold-workers/endless").json()
    found = server.status(task_id)
    ended = (found["state"], found["attempts"], found["error"])
    assert ended == ("dead", 1, "TimeoutError")
    assert "endless" in found["traceback"]


def test_a_process_that_outlives_its_worker_keeps_no_port(server: Server) -> None:
    server.enqueue("wait/orphan")
    server.wait_for_marks("waiting orphan")
    server.processes["worker"].kill()  # alone: its pool continues
    server.processes["worker"].wait()
    server.start()
    until(server.worker_metrics, lambda: "the new worker's metrics")
    assert "no metrics on port" not in server.log("worker")
    server.open_gate("orphan")
    server.wait_for_marks("passed orphan")

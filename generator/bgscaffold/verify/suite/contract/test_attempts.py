"""Attempts: failures stay with their task, and are reported, counted and logged."""

import re

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.project import VerifiedProject
from bgscaffold.verify.suite.waiting import until

NAME = "bgscaffold_contract"


@pytest.fixture
def outcome(project: VerifiedProject) -> str:
    """Return the outcome of a first attempt that fails."""
    return "retrying" if "retries" in project.record.supports else "failed"


def test_a_failing_task_stops_no_other(server: Server) -> None:
    server.enqueue("fail/contained")
    for task in ("fail", "exit", "next"):  # several workers run them in any order
        server.wait_for_marks(f"contained {task}")


def test_hooks_are_called_at_each_failure(server: Server, outcome: str) -> None:
    server.enqueue("fail/hooked")
    server.wait_for_marks(f"reported {NAME}.fail ValueError 1 {outcome}")
    server.wait_for_marks(f"reported {NAME}.exit SystemExit 1 {outcome}")


def test_an_async_def_task_ends_at_its_timeout(server: Server) -> None:
    server.enqueue("slow/slow")
    server.wait_for_marks(f"reported {NAME}.slow TimeoutError 1")


def test_attempts_are_counted(server: Server) -> None:
    server.enqueue("show")
    server.wait_for_marks("show")
    counted = f'task_attempts_total{{outcome="succeeded",task="{NAME}.show"}}'

    def metrics() -> str:
        return server.get("/metrics").text

    until(lambda: counted in metrics(), lambda: f"{counted} in\n{metrics()}")
    assert f'task_duration_seconds_count{{task="{NAME}.show"}}' in metrics()
    assert f'task_wait_seconds_count{{task="{NAME}.show"}}' in metrics()


def test_each_attempt_logs_a_line(server: Server, outcome: str) -> None:
    shown = server.enqueue("show")
    server.enqueue("fail/logged")
    for end in (
        rf"show \[{shown}\] succeeded",
        rf"fail \[\S+\] {outcome}",
        rf"exit \[\S+\] {outcome}",
    ):
        line = rf" afterward\.tasks: task {NAME}\.{end}: attempt 1, \d+\.\d\d s\n"
        server.wait_for_log(server.runner, re.compile(line))


def test_probes_answer(server: Server) -> None:
    ok = {"status": "ok", "degraded": []}
    assert server.get("/health/live").json() == ok
    ready = server.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, ok)

"""Scheduled tasks: beat enqueues them, and a worker runs them."""

from afterward.testing import Server, wait_for

PERIODS = "/tasks?name=maintenance.delete_old_mail&state=succeeded"
ONE_DAY = "86400"  # so the last period is always within it


def test_a_scheduled_task_runs(server: Server) -> None:
    server.start_process("beat", SCHEDULE_GRACE=ONE_DAY)
    wait_for(lambda: server.get(PERIODS).json()["tasks"], "the last period")

"""Schedules by the real clock, on a real process."""

from tests.servers import Project


def test_a_scheduled_task_runs_when_its_periods_begin(server: Project) -> None:
    server.wait_for_marks("tick", 2)
    assert server.log("api").count("task scheduled.tick, period") >= 2

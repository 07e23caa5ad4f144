"""Schedules by the real clock, on a real process."""

from pathlib import Path

from tests.servers import Project


def test_a_scheduled_task_runs_when_its_periods_begin(tmp_path: Path) -> None:
    project = Project(tmp_path / "clock", Path(__file__).parent / "scheduled")
    try:
        project.start()
        project.wait_for_marks("tick", 2)
        assert project.log("api").count("task scheduled.tick, period") >= 2
    finally:
        project.close()

"""Beat, in a project without schedules."""

from app.background.celery_app import celery_app
from app.background.upkeep import delete_old_task_runs


def test_beat_starts_the_cleaning_and_nothing_else() -> None:
    import app.background.worker  # noqa: F401  # it installs beat

    scheduled = {entry["task"] for entry in celery_app.conf.beat_schedule.values()}
    assert scheduled == {"background.clean"}
    assert celery_app.tasks["background.clean"].run is delete_old_task_runs

"""Beat: this project has no schedules, so it starts the nightly cleaning, and nothing else."""

from celery.schedules import crontab

from app.background.celery_app import celery_app
from app.background.upkeep import delete_old_task_runs


def install() -> None:
    """Let `celery beat` start the cleaning. Doing it twice does no harm, so no outbox is needed."""
    celery_app.task(delete_old_task_runs, name="background.clean")
    nightly = {"task": "background.clean", "schedule": crontab(hour=3, minute=0)}
    celery_app.conf.update(beat_schedule={"clean": nightly}, beat_schedule_filename="var/beat")

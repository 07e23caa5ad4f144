"""The Celery application that a worker starts."""

from celery import Celery

from app.runner.settings import settings

celery_app = Celery("app", broker=settings.broker_url)
celery_app.conf.task_acks_late = True


@celery_app.task(name="execute")
def execute(task_id: str) -> None:
    """Claim a row, and run it."""
    print("claimed", task_id)

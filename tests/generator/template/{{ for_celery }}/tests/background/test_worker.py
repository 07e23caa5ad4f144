"""A worker runs what the API has accepted."""

from app.runner.worker import celery_app


def test_the_worker_knows_one_task() -> None:
    names = [name for name in celery_app.tasks if "." not in name]
    assert names == ["execute"]

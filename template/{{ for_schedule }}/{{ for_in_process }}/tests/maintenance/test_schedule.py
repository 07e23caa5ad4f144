"""Scheduled tasks: the web process enqueues and runs them."""

from threading import Event

from fastapi.testclient import TestClient

from afterward import task

ticked = Event()


@task("maintenance.tick", cron="* * * * * *")
def tick() -> None:
    """Run every second."""
    ticked.set()


def test_a_scheduled_task_runs(client: TestClient) -> None:
    with client:  # the API has started
        assert ticked.wait(30)

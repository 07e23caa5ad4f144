"""The Celery application. The broker only wakes workers up, and holds nothing that matters.

A message says "look at this row". Retries, backoff, delays and dead runs belong to the
outbox alone, so none of Celery's own (autoretry, countdown, eta, late acknowledgement) is
used: a second counter would contradict the first.
"""

from celery import Celery
from kombu.entity import Queue

from afterward.outbox.wakeups import queue_of
from afterward.settings import get_settings
from afterward.tasks import TASKS
from afterward.workers import transports


def create_celery_app() -> Celery:
    """Return the Celery application, configured from the settings."""
    settings = get_settings()
    app = Celery("app", broker=settings.broker_url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_transport_options=transports.prepare(settings.broker_url),
        # After a restart, RabbitMQ may still hold the queue of the worker that crashed.
        control_queue_durable=True,
        control_queue_exclusive=False,
        # Acknowledged at the start: if the worker crashes, the lease ends and the sweep
        # sends another message. Late acknowledgement would only add a second one.
        task_acks_late=False,
        task_default_queue=settings.task_queue,
        task_ignore_result=True,  # the row is the result
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
        worker_concurrency=settings.task_concurrency,  # empty: one per core
        worker_prefetch_multiplier=1,
    )
    return app


def all_queues() -> list[Queue]:
    """Return every queue that a task is sent to. A worker serves all, or those of -Q."""
    names = {get_settings().task_queue, *map(queue_of, TASKS)}
    return [Queue(name) for name in sorted(names)]

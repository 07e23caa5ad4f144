"""The Celery application. The broker holds nothing that matters: it only wakes workers up.

A message says "look at this row". Retries, backoff, delays and the dead are the outbox's alone, so
none of Celery's own (autoretry, countdown, eta, late acknowledgement) is used: a second counter
would contradict the first.
"""

from pathlib import Path

from celery import Celery
from kombu.entity import Queue

from app.background import embedded_broker, redis_broker
from app.background.settings import settings
from app.background.task import TASKS

embedded_broker.prepare(settings.broker_url)
Path("var").mkdir(exist_ok=True)
celery_app = Celery("app", broker=settings.broker_url)
celery_app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=2,
    broker_transport_options=redis_broker.options(settings.broker_url),
    # Not exclusive: a worker that restarts finds RabbitMQ still holding the queue of the dead one.
    control_queue_durable=True,
    control_queue_exclusive=False,
    # Acknowledged when it starts: should the worker die, the row's lease ends and the sweep sends
    # another message. Late acknowledgement would only bring a second, unneeded redelivery.
    task_acks_late=False,
    task_default_queue=settings.task_queue,
    task_ignore_result=True,  # the row is the result
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
    worker_concurrency=settings.task_concurrency,
    worker_prefetch_multiplier=1,
)


def queue_of(name: str) -> str:
    """Return the queue of a task: that of the application, or its own below it."""
    own = TASKS[name].options.get("queue") if name in TASKS else None
    return f"{settings.task_queue}.{own}" if own else settings.task_queue


def queues() -> list[Queue]:
    """Return every queue that a task is sent to. A worker serves them all, or those of its -Q."""
    return [Queue(name) for name in sorted({settings.task_queue, *map(queue_of, TASKS)})]

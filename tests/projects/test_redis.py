"""What a worker makes of a Redis that does not answer for a while."""

from collections.abc import Callable
from pathlib import Path

from tests.projects import services
from tests.projects.environments import Environment

Render = Callable[..., Path]

# The hands of this worker are full with one message, which Redis does not let it acknowledge.
WORKER = """
import kombu, redis
from app.background.celery_app import celery_app
from app.background.settings import settings

queue, received = kombu.Queue("orders"), []
connection = celery_app.connection_for_read()
consumer = connection.Consumer([queue], on_message=received.append)
consumer.qos(prefetch_count=1)
with celery_app.connection_for_write() as writing:
    for number in range(2):
        writing.Producer().publish(number, routing_key="orders", declare=[queue])
consumer.consume()
connection.drain_events(timeout=10)
redis.Redis.from_url(settings.broker_url).execute_command("CLIENT", "PAUSE", 4000, "ALL")
try:
    received[0].ack()
except connection.connection_errors as error:
    print(type(error).__name__)
connection.drain_events(timeout=10)
print([message.payload for message in received])
"""


def test_an_acknowledgement_that_fails_leaves_room_for_the_next_message(
    rendered: Render, newest: Environment
) -> None:
    with services.redis() as redis:
        said = newest.run(rendered("celery"), "python", "-c", WORKER, BROKER_URL=redis.url)
        redis.assert_used()
    assert said.splitlines()[-2:] == ["TimeoutError", "[0, 1]"]

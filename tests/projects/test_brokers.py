"""The clients of brokers, when something is wrong with the broker."""

from collections.abc import Callable
from pathlib import Path

from tests.projects import services
from tests.projects.environments import InstalledEnvironment

Render = Callable[..., Path]

# More channels than connections, each closed inside a transaction, as on a full disk.
CHANNELS = """
from app.background import celery_app

kept = []
for number in range(20):
    with celery_app.connection_for_write() as connection:
        channel = connection.default_channel
        kept.append((channel, channel._size("tasks")))
print(len(kept))
"""
# This consumer takes one message, and Redis does not let it acknowledge the message.
CONSUMER = """
import os, kombu, redis
from app.background import celery_app

queue, received = kombu.Queue("orders"), []
connection = celery_app.connection_for_read()
consumer = connection.Consumer([queue], on_message=received.append)
consumer.qos(prefetch_count=1)
with celery_app.connection_for_write() as writing:
    for number in range(2):
        writing.Producer().publish(number, routing_key="orders", declare=[queue])
consumer.consume()
connection.drain_events(timeout=10)
client = redis.Redis.from_url(os.environ["BROKER_URL"])
client.execute_command("CLIENT", "PAUSE", 4000, "ALL")
try:
    received[0].ack()
except connection.connection_errors as error:
    print(type(error).__name__)
connection.drain_events(timeout=10)
print([message.payload for message in received])
"""


def test_a_closed_channel_of_the_embedded_broker_returns_its_connection(
    rendered: Render, newest: InstalledEnvironment
) -> None:
    output = newest.run(rendered("celery"), "python", "-c", CHANNELS)
    assert output.splitlines() == ["20"]


def test_redis_sends_the_next_message_after_a_failed_acknowledgement(
    rendered: Render, newest: InstalledEnvironment
) -> None:
    with services.redis() as redis:
        command = ("python", "-c", CONSUMER)
        output = newest.run(rendered("celery"), *command, BROKER_URL=redis.url)
        redis.assert_used()
    assert output.splitlines()[-2:] == ["TimeoutError", "[0, 1]"]

"""The embedded broker, when something is wrong with its file."""

from collections.abc import Callable
from pathlib import Path

from tests.projects.environments import Environment

Render = Callable[..., Path]

# More channels than connections, each closed in the middle of a transaction, as on a full disk.
CHANNELS = """
from app.background.celery_app import celery_app

kept = []
for number in range(20):
    with celery_app.connection_for_write() as connection:
        channel = connection.default_channel
        kept.append((channel, channel._size("tasks")))
print(len(kept))
"""


def test_a_channel_that_is_closed_gives_its_connection_back(
    rendered: Render, newest: Environment
) -> None:
    assert newest.run(rendered("celery"), "python", "-c", CHANNELS).splitlines() == ["20"]

"""Redis as the broker: bounded waits, and a worker that outlives it."""

# mypy: allow-untyped-calls
# Kombu's transport has no types.

from typing import Any

# Kombu's defaults wait for ever on a Redis that accepts and never answers.
WAITS = {"socket_timeout": 3, "socket_connect_timeout": 1}


def options(url: str) -> dict[str, Any]:
    """Return the transport's options for Redis, none for other brokers."""
    if not url.startswith("redis"):
        return {}
    from kombu.transport import redis

    class Channel(redis.Channel):
        def close(self) -> None:
            # When its connection is gone, Kombu 5.7 closes it a second time, fails to put back what
            # was not acknowledged, and ends the worker. The outbox sends such messages again.
            self.do_restore = getattr(self.connection, "client", None) is not None
            super().close()

    redis.Transport.Channel = Channel
    return WAITS

"""Redis as the broker: bounded waits, and a worker that survives its outage."""

# mypy: allow-untyped-calls
# Kombu's transports have no types.

from typing import Any

from kombu.transport import redis, virtual

# Kombu's defaults wait forever for a Redis that accepts and never answers.
TIMEOUTS = {"socket_timeout": 3, "socket_connect_timeout": 1}


class Channel(redis.Channel):
    """Repairs what Kombu 5.7 does when Redis stops answering."""

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        # If Redis does not answer an acknowledgement, Kombu 5.7 counts the message as
        # unacknowledged forever, and the worker fetches no other.
        virtual.QoS.ack(self.qos, delivery_tag)
        super().basic_ack(delivery_tag, multiple)

    def close(self) -> None:
        # After its connection is lost, Kombu 5.7 closes a channel twice, fails to
        # restore unacknowledged messages, and ends the worker. The outbox sends such
        # messages again.
        self.do_restore = getattr(self.connection, "client", None) is not None
        super().close()


def prepare() -> dict[str, Any]:
    """Adapt Kombu's transport, and return its options."""
    adapted: Any = redis.Transport
    adapted.Channel = Channel
    return TIMEOUTS

"""Kombu's transports, adapted to the broker that is used."""

from typing import Any


def prepare(broker_url: str) -> dict[str, Any]:
    """Adapt Kombu's transport for this broker, and return the transport's options.

    RabbitMQ needs nothing.
    """
    if broker_url.startswith("sqla+"):
        from afterward.workers import embedded_broker

        embedded_broker.prepare(broker_url)
    elif broker_url.startswith("redis"):
        from afterward.workers import redis_broker

        return redis_broker.prepare()
    return {}

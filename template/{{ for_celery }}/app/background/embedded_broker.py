"""The broker for development: one SQLite file, through Kombu's SQLAlchemy transport."""

from pathlib import Path
from typing import Any

from kombu.transport import sqlalchemy as transport
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError


class _Channel(transport.Channel):
    def _get_or_create(self, queue: str) -> Any:
        try:
            return super()._get_or_create(queue)  # type: ignore[no-untyped-call]
        except IntegrityError:  # API and worker start together: the other one has just created it
            self.session.rollback()
            return super()._get_or_create(queue)  # type: ignore[no-untyped-call]


def prepare(url: str) -> None:
    """Make the transport fit for one developer's machine. Other brokers are left alone."""
    if not url.startswith("sqla+"):
        return
    transport.Transport.Channel = _Channel
    transport.Transport.polling_interval = 0.05  # its default of 1 s does two tasks a second
    if file := make_url(url.removeprefix("sqla+")).database:
        Path(file).parent.mkdir(parents=True, exist_ok=True)

"""What this process knows of the broker: only its publisher talks to it, so a probe never waits."""

import logging
import time

from app.background.celery_app import celery_app

SILENCE = 10.0  # seconds after which the broker is asked whether it is there
log = logging.getLogger(__name__)


class Broker:
    """Whether the broker answered when it was last needed."""

    def __init__(self) -> None:
        self.answers = True
        self._heard = 0.0

    def noted(self, answers: bool) -> None:
        """Note whether it has just answered; the log tells of a change, not of every second."""
        if answers != self.answers:
            log.warning("the broker %s", "answers again" if answers else "does not answer")
        self.answers, self._heard = answers, time.monotonic()

    def ask(self) -> None:
        """Ask it, unless it was heard of a moment ago."""
        if time.monotonic() - self._heard < SILENCE:
            return
        try:
            with celery_app.connection_for_write() as connection:
                connection.default_channel.close()
        except Exception:
            log.debug("the broker was asked", exc_info=True)
            self.noted(answers=False)
        else:
            self.noted(answers=True)


broker = Broker()

"""Cron expressions in a time zone.

CronSim computes every moment, under every pattern. APScheduler's own trigger and Celery's
crontab disagree about weekdays, and about nights in which clocks change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import Signature
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from afterward.settings import get_settings, time_zone

FIVE_FIELDS = (
    "Write minute, hour, day, month and weekday: '0 3 * * *' is every day at 3:00."
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in its time zone."""

    expression: str
    zone: ZoneInfo

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Cron":
        """Return what a task declares.

        Raises:
            ValueError: The expression or the time zone is not valid.
        """
        name = options.get("timezone", get_settings().schedule_timezone)
        cron = cls(options["cron"], time_zone(name))
        try:
            next(cron.after(datetime.now(UTC)))
        except CronSimError as error:
            raise ValueError(f"{error}. {FIVE_FIELDS}") from None
        except StopIteration:
            raise ValueError("No such day exists.") from None
        return cron

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Return the moments after this one, in UTC and in order."""
        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            # In the hour that a clock repeats, the first results are in the past.
            if found.astimezone(UTC) > moment:
                yield found.astimezone(UTC)


def check_schedule(name: str, signature: Signature, options: Mapping[str, Any]) -> None:
    """Refuse a schedule that cannot work.

    Raises:
        TypeError: The task takes arguments, which nobody would pass.
        ValueError: The expression or the time zone is not valid.
    """
    if "cron" not in options:
        raise ValueError(f"@task({name!r}): timezone= needs cron=.")
    names = [key for key in ("cron", "timezone") if key in options]
    declared = ", ".join(f"{key}={options[key]!r}" for key in names)
    if signature.parameters:
        raise TypeError(
            f"@task({name!r}, {declared}): a scheduled task takes no arguments, and this"
            f" one takes {signature}. Let it look for what there is to do."
        )
    try:
        Cron.from_options(options)
    except ValueError as error:
        raise ValueError(f"@task({name!r}, {declared}): {error}") from None

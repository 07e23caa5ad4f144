"""When scheduled tasks run: cron expressions in a time zone, as cron itself reads them.

CronSim computes every moment, under every pattern. APScheduler's own trigger and Celery's crontab
disagree about weekdays, and about the nights in which clocks change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import Signature
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from app.refusals import told_briefly
from app.settings import FROM_ENVIRONMENT

SUPPORTED = frozenset({"cron", "timezone"})
FIVE_FIELDS = "Write minute, hour, day, month and weekday: '0 3 * * *' is every day at 3:00."


def zone(name: str) -> ZoneInfo:
    """Return the time zone of this name.

    Raises:
        ValueError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: "Europe" is a folder of names
        known = "Use a name of the IANA database, such as UTC or Europe/Berlin."
        raise ValueError(f"{name!r} is no time zone. {known}") from None


class ScheduleSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = FROM_ENVIRONMENT

    # For tasks that declare no timezone=
    schedule_timezone: Annotated[str, AfterValidator(lambda name: zone(name).key)] = "UTC"
    # Seconds in which a missed period is made good; keep it below TASK_RETENTION, which is in days
    schedule_grace: float = Field(default=3600, ge=60, le=86_400)

    @property
    def grace(self) -> timedelta:
        """How long after its beginning a period may still be enqueued."""
        return timedelta(seconds=self.schedule_grace)


with told_briefly():
    settings = ScheduleSettings()


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in its time zone."""

    expression: str
    zone: ZoneInfo

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Cron":
        """Return what a task declares.

        Raises:
            ValueError: The expression or the time zone is none.
        """
        cron = cls(options["cron"], zone(options.get("timezone", settings.schedule_timezone)))
        try:
            next(cron.after(datetime.now(UTC)))
        except CronSimError as error:
            raise ValueError(f"{error}. {FIVE_FIELDS}") from None
        except StopIteration:
            raise ValueError("There is no such day.") from None
        return cron

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give the moments after this one, in UTC and in order."""
        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            # In the hour that clocks go through twice, the first ones found are over already.
            if found.astimezone(UTC) > moment:
                yield found.astimezone(UTC)


def check(name: str, signature: Signature, options: Mapping[str, Any]) -> None:
    """Refuse a schedule that cannot be kept.

    Raises:
        TypeError: The task takes arguments, which nobody would give it.
        ValueError: The expression or the time zone is none.
    """
    if "cron" not in options:
        if "timezone" in options:
            raise ValueError(f"@task({name!r}): timezone= says where cron= counts; there is none.")
        return
    declared = ", ".join(f"{key}={options[key]!r}" for key in sorted(SUPPORTED & options.keys()))
    if signature.parameters:
        raise TypeError(
            f"@task({name!r}, {declared}): a scheduled task takes no arguments, this one takes"
            f" {signature}. Let it look for what there is to do."
        )
    try:
        Cron.of(options)
    except ValueError as error:
        raise ValueError(f"@task({name!r}, {declared}): {error}") from None

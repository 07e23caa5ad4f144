"""What a project can have under every pattern, from the start or from an update."""

from collections.abc import Iterable
from enum import StrEnum


class Overlay(StrEnum):
    """An overlay, called as the question of copier.yml that asks for it."""

    AI = "ai"
    SCHEDULE = "schedule"

    @property
    def option(self) -> str:
        """Return the option of the command line that asks for it."""
        return f"--with-{self}"


TITLES = {Overlay.AI: "AI", Overlay.SCHEDULE: "schedules"}


def wanted(*, ai: bool, schedule: bool) -> list[Overlay]:
    """Return the overlays that two options ask for."""
    return [Overlay.AI] * ai + [Overlay.SCHEDULE] * schedule


def named(overlays: Iterable[Overlay]) -> str:
    """Return the overlays as a sentence lists them."""
    return " and ".join(TITLES[overlay] for overlay in overlays)

"""What a project can have under every pattern, from the start or from an update."""

from collections.abc import Iterable
from enum import StrEnum


class Feature(StrEnum):
    """An overlay, called as the question of copier.yml that asks for it."""

    AI = "ai"
    SCHEDULE = "schedule"

    @property
    def option(self) -> str:
        """Return the option of the command line that asks for it."""
        return f"--with-{self}"


TITLES = {Feature.AI: "AI", Feature.SCHEDULE: "schedules"}


def selected_features(*, ai: bool, schedule: bool) -> list[Feature]:
    """Return the overlays that two options ask for."""
    return [Feature.AI] * ai + [Feature.SCHEDULE] * schedule


def feature_titles(overlays: Iterable[Feature]) -> str:
    """Return the overlays as a sentence lists them."""
    return " and ".join(TITLES[overlay] for overlay in overlays)

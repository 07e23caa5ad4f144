"""What a project can have under every pattern, from the start or by an update."""

from collections.abc import Iterable
from enum import StrEnum


class Feature(StrEnum):
    """A feature, named like its question in copier.yml."""

    AI = "ai"
    SCHEDULE = "schedule"

    @property
    def option(self) -> str:
        """Return the command-line option that adds it."""
        return f"--with-{self}"


TITLES = {Feature.AI: "AI", Feature.SCHEDULE: "schedules"}


def selected_features(*, ai: bool, schedule: bool) -> list[Feature]:
    """Return the features that two options select."""
    options = {Feature.AI: ai, Feature.SCHEDULE: schedule}
    return [feature for feature, selected in options.items() if selected]


def feature_titles(features: Iterable[Feature]) -> str:
    """Return a list of features for a sentence."""
    return " and ".join(TITLES[feature] for feature in features)

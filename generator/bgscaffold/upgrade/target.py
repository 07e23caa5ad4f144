"""The target of an upgrade."""

from dataclasses import dataclass

from bgscaffold.features import Feature, feature_titles
from bgscaffold.patterns import Pattern
from bgscaffold.project.project import Project


@dataclass(frozen=True)
class UpgradeTarget:
    """A pattern, at a version of the template, and the features to add."""

    pattern: Pattern
    commit: str
    added: tuple[Feature, ...] = ()  # features that the project does not have yet

    def is_reached_by(self, project: Project) -> bool:
        """Return whether the project is there already."""
        return self == UpgradeTarget(pattern=project.pattern, commit=project.commit)


def commit_message(project: Project, target: UpgradeTarget) -> str:
    """Return the message that git proposes for the commit."""
    if target.pattern is not project.pattern:
        return f"Promote {project.name} from {project.pattern} to {target.pattern}"
    if target.commit == project.commit:
        return f"Add {feature_titles(target.added)} to {project.name}"
    features = f", with {feature_titles(target.added)}" if target.added else ""
    versions = f"{project.commit} to {target.commit}"
    return f"Update {project.name} from bgscaffold {versions}{features}"

"""What an upgrade changes."""

from dataclasses import dataclass, field

from bgscaffold.analysis.migrations import MigrationDivergence
from bgscaffold.project.project import Project
from bgscaffold.upgrade.merge import Change
from bgscaffold.upgrade.target import UpgradeTarget


@dataclass(frozen=True)
class UpgradeReport:
    """What an upgrade changes, or would change; paths are relative to the project."""

    project: Project
    target: UpgradeTarget
    dry_run: bool
    changes: list[Change] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)  # their kinds by path
    stay_deleted: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)  # files that git ignores
    new_settings: list[str] = field(default_factory=list)
    removed_settings: list[str] = field(default_factory=list)
    divergence: MigrationDivergence = field(default_factory=MigrationDivergence)
    collisions: list[str] = field(default_factory=list)  # names that exist already
    tracks_lock_file: bool = False

    @property
    def nothing_to_do(self) -> bool:
        """Return whether the project has reached the target already."""
        return self.target.is_reached_by(self.project)

    @property
    def is_promote(self) -> bool:
        """Tell a promote from an update."""
        return self.target.pattern is not self.project.pattern

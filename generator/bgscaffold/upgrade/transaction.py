"""The merge as a transaction: everything is changed, or nothing."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bgscaffold.git.errors import RepositoryLockedError
from bgscaffold.git.repository import (
    Repository,
    require_clean_repository,
    summarize_paths,
)
from bgscaffold.system.signals import ignore_signals
from bgscaffold.upgrade.backup import Backup, back_up, restore
from bgscaffold.upgrade.concurrent_edits import concurrently_modified
from bgscaffold.upgrade.errors import MergeError, PartialRollbackError, RollbackError
from bgscaffold.upgrade.merge import MergePlan, merge
from bgscaffold.upgrade.sides import Files, Sides

GIT_STATE = ("index", "MERGE_MSG", "AUTO_MERGE")  # what a merge writes to .git


@dataclass(frozen=True)
class Transaction:
    """A merge into a project that is done as a whole or rolled back."""

    repository: Repository
    root: Path
    sides: Sides
    plan: MergePlan

    def apply(self, scratch: Path) -> None:
        """Merge, then write the files that git must not merge."""
        backup = back_up(sorted(set(self.touched_files())), scratch)
        ignore_signals()
        require_clean_repository(self.repository)  # a file may have been saved since
        try:
            merge(self.repository, self.sides, self.plan)
            copy_missing_files(self.root, self.sides.left_out)
        except RepositoryLockedError:  # git has written nothing
            raise
        except Exception as error:
            self.roll_back(backup, error)
            raise

    def touched_files(self) -> Iterator[Path]:
        """Yield every file that the transaction may write."""
        yield from (self.repository.git_dir / name for name in GIT_STATE)
        yield from self.supplied_files()
        command = ("diff", "--name-only", "-z", "--no-renames")
        rendered = self.repository.git(*command, self.sides.base, self.sides.theirs)
        paths = {change.path for change in self.plan.changes}
        paths.update(rendered.split("\0")[:-1], self.plan.conflicts, self.plan.resolved)
        yield from (self.repository.root / path for path in paths)

    def supplied_files(self) -> dict[Path, Path]:
        """Return the files that are written without git, by their full paths."""
        paths = missing_files(self.root, self.sides.left_out)
        return {self.root / path: self.sides.left_out[path] for path in paths}

    def roll_back(self, backup: Backup, error: Exception) -> None:
        """Restore every file, except those that another process has changed."""
        failure = MergeError(str(self.repository.root), describe_error(error))
        left_out = {self.root / path: f for path, f in self.sides.left_out.items()}
        try:
            modified = concurrently_modified(
                backup, self.repository, self.plan, left_out
            )
            restore(backup, skip=modified)
        except OSError as problem:
            reason = f"{failure.reason}; {describe_error(problem)}"
            raise RollbackError(failure.value, reason) from error
        if modified:
            files = summarize_paths(sorted(map(str, modified)))
            raise PartialRollbackError(files, failure.reason) from error
        if isinstance(error, OSError):
            raise failure from error


def describe_error(error: Exception) -> str:
    """Return what git or the system says about an error."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(getattr(error, "reason", "") or error)


def copy_missing_files(root: Path, files: Files) -> None:
    """Write the files that a project does not have."""
    for path in missing_files(root, files):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[path], root / path)


def missing_files(root: Path, files: Files) -> list[str]:
    """Return the files that a project does not have; none is behind a link."""
    return [
        path
        for path in files
        if not os.path.lexists(root / path) and not is_behind_link(root, path)
    ]


def is_behind_link(root: Path, path: str) -> bool:
    """Return whether a folder of a path is a symbolic link."""
    return any((root / parent).is_symlink() for parent in PurePosixPath(path).parents)

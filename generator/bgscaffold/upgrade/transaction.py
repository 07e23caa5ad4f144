"""The merge, done whole or not at all."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from bgscaffold.git.client import supports_merge_tree
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
from bgscaffold.upgrade.merge import Files, MergeResult, Sides, merge, preview_merge

STATE = (
    "index",
    "MERGE_MSG",
    "AUTO_MERGE",
)  # what a merge writes into git's own folder


def merge_transactionally(
    repository: Repository, folder: Path, sides: Sides, aside: Path
) -> tuple[MergeResult, list[str]]:
    """Merge, and write what is left out of the merge; if either fails, put all back."""
    foreseen = preview_merge(repository, sides) if supports_merge_tree() else None
    files = set(touched_files(repository, folder, sides, foreseen))
    kept = back_up(sorted(files), aside)
    ignore_signals()
    require_clean_repository(
        repository
    )  # by now; rendering takes long enough to save a file
    try:
        return merge(repository, sides), copy_missing_files(folder, sides.left_out)
    except (
        RepositoryLockedError
    ):  # git has touched nothing, and somebody else may be writing
        raise
    except Exception as error:
        supplied = {folder / path: file for path, file in sides.left_out.items()}
        roll_back(kept, repository, foreseen, supplied, error)
        raise


def touched_files(
    repository: Repository, folder: Path, sides: Sides, foreseen: MergeResult | None
) -> Iterable[Path]:
    """Yield every file that may be written, having made sure that none is overwritten."""
    yield from (repository.git_dir / name for name in STATE)
    yield from (folder / path for path in missing_files(folder, sides.left_out))
    new = repository.git(
        "diff", "--name-only", "-z", "--no-renames", sides.base, sides.theirs
    )
    if foreseen:
        own = [*(change.path for change in foreseen.changes), *foreseen.conflicts]
    else:
        own = repository.git("ls-files", "-z").split("\0")
    yield from (repository.root / path for path in (*new.split("\0"), *own) if path)


def roll_back(
    kept: Backup,
    repository: Repository,
    foreseen: MergeResult | None,
    supplied: dict[Path, Path],
    error: Exception,
) -> None:
    """Put back what the merge has written; raise the error as a refusal."""
    failed = MergeError(str(repository.root), describe_error(error))
    try:
        # An old git foresees nothing, so nobody knows what it has written.
        left = (
            concurrently_modified(kept, repository, foreseen, supplied)
            if foreseen
            else []
        )
        restore(kept, left)
    except OSError as problem:
        raise RollbackError(
            failed.value, f"{failed.reason}; {describe_error(problem)}"
        ) from error
    if left:
        raise PartialRollbackError(
            summarize_paths(sorted(map(str, left))), failed.reason
        ) from error
    if isinstance(error, OSError):
        raise failed from error


def describe_error(error: Exception) -> str:
    """Return what git or the system says of an error."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(getattr(error, "reason", "") or getattr(error, "value", ""))


def copy_missing_files(folder: Path, files: Files) -> list[str]:
    """Create the files that are left out of the merge, where they are missing."""
    paths = missing_files(folder, files)
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[path], folder / path)
    return paths


def missing_files(folder: Path, files: Files) -> list[str]:
    """Return those of the files left out that a project does not have; none beyond a link of its."""
    return [
        path
        for path in files
        if not os.path.lexists(folder / path)
        and not any(
            (folder / parent).is_symlink() for parent in PurePosixPath(path).parents
        )
    ]

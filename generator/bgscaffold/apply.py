"""The merge, done whole or not at all."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from bgscaffold.evolve_errors import HalfMerged, LeftAlone, Locked, MergeFailed
from bgscaffold.git import foresees
from bgscaffold.keeping import Kept, keep, put_back
from bgscaffold.merge import Files, Merged, Sides, foresee, merge
from bgscaffold.others import written_by_others
from bgscaffold.repository import Repository, listed, refuse_unrest
from bgscaffold.staging import ignore_signals

STATE = ("index", "MERGE_MSG", "AUTO_MERGE")  # what a merge writes into git's own folder


def carry_out(
    repository: Repository, folder: Path, sides: Sides, aside: Path
) -> tuple[Merged, list[str]]:
    """Merge, and write what is left out of the merge; if either fails, put all back."""
    foreseen = foresee(repository, sides) if foresees() else None
    files = set(touched(repository, folder, sides, foreseen))
    kept = keep(sorted(files), aside)
    ignore_signals()
    refuse_unrest(repository)  # by now; rendering takes long enough to save a file
    try:
        return merge(repository, sides), supply(folder, sides.left_out)
    except Locked:  # git has touched nothing, and somebody else may be writing
        raise
    except Exception as error:
        supplied = {folder / path: file for path, file in sides.left_out.items()}
        undo(kept, repository, foreseen, supplied, error)
        raise


def touched(
    repository: Repository, folder: Path, sides: Sides, foreseen: Merged | None
) -> Iterable[Path]:
    """Yield every file that may be written, having made sure that none is overwritten."""
    yield from (repository.git_dir / name for name in STATE)
    yield from (folder / path for path in missing(folder, sides.left_out))
    new = repository.git("diff", "--name-only", "-z", "--no-renames", sides.base, sides.theirs)
    if foreseen:
        own = [*(change.path for change in foreseen.changes), *foreseen.conflicts]
    else:
        own = repository.git("ls-files", "-z").split("\0")
    yield from (repository.root / path for path in (*new.split("\0"), *own) if path)


def undo(
    kept: Kept,
    repository: Repository,
    foreseen: Merged | None,
    supplied: dict[Path, Path],
    error: Exception,
) -> None:
    """Put back what the merge has written; raise the error as a refusal."""
    failed = MergeFailed(str(repository.root), told(error))
    try:
        # An old git foresees nothing, so nobody knows what it has written.
        left = written_by_others(kept, repository, foreseen, supplied) if foreseen else []
        put_back(kept, left)
    except OSError as problem:
        raise HalfMerged(failed.value, f"{failed.reason}; {told(problem)}") from error
    if left:
        raise LeftAlone(listed(sorted(map(str, left))), failed.reason) from error
    if isinstance(error, OSError):
        raise failed from error


def told(error: Exception) -> str:
    """Return what git or the system says of an error."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(getattr(error, "reason", "") or getattr(error, "value", ""))


def supply(folder: Path, files: Files) -> list[str]:
    """Create the files that are left out of the merge, where they are missing."""
    paths = missing(folder, files)
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[path], folder / path)
    return paths


def missing(folder: Path, files: Files) -> list[str]:
    """Return those of the files left out that a project does not have; none beyond a link of its."""
    return [
        path
        for path in files
        if not os.path.lexists(folder / path)
        and not any((folder / parent).is_symlink() for parent in PurePosixPath(path).parents)
    ]

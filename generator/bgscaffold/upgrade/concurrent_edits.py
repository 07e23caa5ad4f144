"""What somebody else has written during a merge, which the merge must not take back."""

import os
import re
from pathlib import Path

from bgscaffold.git.repository import Repository
from bgscaffold.upgrade.backup import Backup
from bgscaffold.upgrade.merge import MergeResult

LABEL = re.compile(
    r"^([<|>]{7}) .*", re.MULTILINE
)  # of a side in a conflict, foreseen as a hash


def concurrently_modified(
    kept: Backup,
    repository: Repository,
    foreseen: MergeResult,
    supplied: dict[Path, Path],
) -> list[Path]:
    """Return the files that are neither as they were, nor as the merge writes them, whole or half."""

    def expected(path: Path) -> str:
        if path in supplied:
            return read_normalized(supplied[path])
        name = path.relative_to(repository.root).as_posix()
        look = ("cat-file", "--filters", f"--path={name}", foreseen.blobs.get(name, ""))
        return normalize(
            repository.call(*look).stdout
        )  # nothing, if there is no such blob

    return [
        path
        for path in (*kept.copies, *kept.missing)
        if path.parent != repository.git_dir
        and (text := read_normalized(path)) != read_normalized(kept.copies.get(path))
        and not expected(path).startswith(text)
    ]


def read_normalized(path: Path | None) -> str:
    """Return what a file or a link holds, '' for all else."""
    if path is None or not (path.is_file() or path.is_symlink()):
        return ""
    return normalize(
        str(path.readlink()) if path.is_symlink() else os.fsdecode(path.read_bytes())
    )


def normalize(text: str) -> str:
    """Return a text as it can be compared: line ends and the names of sides do not count."""
    return LABEL.sub(r"\1", text.replace("\r\n", "\n").replace("\r", "\n"))

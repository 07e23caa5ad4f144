"""What somebody else has written during a merge, which the merge must not take back."""

import os
import re
from pathlib import Path

from bgscaffold.keeping import Kept
from bgscaffold.merge import Merged
from bgscaffold.repository import Repository

LABEL = re.compile(r"^([<|>]{7}) .*", re.MULTILINE)  # of a side in a conflict, foreseen as a hash


def written_by_others(
    kept: Kept, repository: Repository, foreseen: Merged, supplied: dict[Path, Path]
) -> list[Path]:
    """Return the files that are neither as they were, nor as the merge writes them, whole or half."""

    def expected(path: Path) -> str:
        if path in supplied:
            return held(supplied[path])
        name = path.relative_to(repository.root).as_posix()
        look = ("cat-file", "--filters", f"--path={name}", foreseen.blobs.get(name, ""))
        return plain(repository.call(*look).stdout)  # nothing, if there is no such blob

    return [
        path
        for path in (*kept.copies, *kept.missing)
        if path.parent != repository.git_dir
        and (text := held(path)) != held(kept.copies.get(path))
        and not expected(path).startswith(text)
    ]


def held(path: Path | None) -> str:
    """Return what a file or a link holds, '' for all else."""
    if path is None or not (path.is_file() or path.is_symlink()):
        return ""
    return plain(str(path.readlink()) if path.is_symlink() else os.fsdecode(path.read_bytes()))


def plain(text: str) -> str:
    """Return a text as it can be compared: line ends and the names of sides do not count."""
    return LABEL.sub(r"\1", text.replace("\r\n", "\n").replace("\r", "\n"))

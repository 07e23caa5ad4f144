"""Files that another process changes during a merge; a rollback leaves them alone."""

import os
import re
from pathlib import Path

from bgscaffold.git.repository import Repository
from bgscaffold.upgrade.backup import Backup
from bgscaffold.upgrade.merge import MergePlan

# The label of a side in a conflict: a hash in the plan, a name in the file.
LABEL = re.compile(r"^([<|>]{7}) .*", re.MULTILINE)


def concurrently_modified(
    backup: Backup,
    repository: Repository,
    plan: MergePlan,
    left_out: dict[Path, Path],
) -> list[Path]:
    """Return the files that are neither as they were, nor as the merge writes them.

    A file that the merge has written in part counts as its own.
    """
    modified = []
    for path in (*backup.copies, *backup.missing):
        text = read_normalized(path)
        is_git_state = path.parent == repository.git_dir
        if is_git_state or text == read_normalized(backup.copies.get(path)):
            continue
        if path in left_out:
            expected = read_normalized(left_out[path])
        else:
            expected = merged_content(repository, plan, path)
        if not expected.startswith(text):
            modified.append(path)
    return modified


def merged_content(repository: Repository, plan: MergePlan, path: Path) -> str:
    """Return what the merge writes to a file, '' if it writes nothing."""
    name = path.relative_to(repository.root).as_posix()
    command = ("cat-file", "--filters", f"--path={name}")
    return normalize(repository.run(*command, plan.blobs.get(name, "")).stdout)


def read_normalized(path: Path | None) -> str:
    """Return the content of a file or a link, '' for anything else."""
    if path is None or not (path.is_file() or path.is_symlink()):
        return ""
    if path.is_symlink():
        return normalize(str(path.readlink()))
    return normalize(os.fsdecode(path.read_bytes()))


def normalize(text: str) -> str:
    """Return a text without what may differ: line endings and labels."""
    return LABEL.sub(r"\1", text.replace("\r\n", "\n").replace("\r", "\n"))

"""The merge: the difference of two renders, laid over the user's files by git.

So the user's edits, renames and deletions count as they do in any other merge.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bgscaffold.git.client import command_error
from bgscaffold.git.errors import RepositoryLockedError
from bgscaffold.git.repository import (
    LITERAL,
    UNMERGED,
    Repository,
    parse_unmerged,
    summarize_paths,
)
from bgscaffold.upgrade.errors import (
    FoldersNotWritableError,
    MergeError,
    UntrackedFilesError,
)
from bgscaffold.upgrade.sides import Sides, entries_of

Stages = dict[str, str]  # the blobs of a conflict by stage: 1 base, 2 ours, 3 theirs

# The stages that a conflict has, and the kind that `git status` shows.
KINDS = {
    "1": "DD",
    "2": "AU",
    "3": "UA",
    "12": "UD",
    "13": "DU",
    "23": "AA",
    "123": "UU",
}
VERBS = {"A": "created", "D": "deleted"}  # every other status is a change


@dataclass(frozen=True)
class Change:
    """A file that the merge changes, compared with the last commit."""

    path: str
    kind: str
    added: int
    removed: int

    def relative_to(self, repository: Repository) -> "Change":
        """Return the change with its path relative to the project."""
        return replace(self, path=repository.from_project(self.path))


@dataclass(frozen=True)
class MergePlan:
    """What the merge does; the paths are those of the repository."""

    changes: list[Change]
    conflicts: dict[str, str]  # the kinds of conflicts that the user resolves, by path
    resolved: list[
        str
    ]  # conflicts that end without a file: nothing in it is the user's
    stay_deleted: list[str]  # files that the user has deleted and the template changes
    blobs: dict[str, str]  # the content that git writes, by path


def plan_merge(repository: Repository, sides: Sides) -> MergePlan:
    """Compute the merge without changing anything; refuse one that loses a file."""
    ours = commit_ours(repository, sides)
    tree, conflicts = merge_trees(repository, ours, sides)
    resolved = [path for path, stages in conflicts.items() if is_resolved(stages)]
    result = tree_without(repository, tree, resolved, sides.index)
    changes = changes_since_head(repository, result)
    deleted = [path for path, stages in conflicts.items() if is_deleted(stages)]
    require_no_untracked(repository, [*created_paths(changes), *deleted])
    require_writable(parent_of(repository.root / each.path) for each in changes)
    plan = MergePlan(
        changes=changes,
        conflicts={
            path: kind_of(stages)
            for path, stages in conflicts.items()
            if path not in resolved
        },
        resolved=resolved,
        stay_deleted=original_names(repository, sides, deleted, conflicts),
        blobs={path: each.blob for path, each in entries_of(repository, tree).items()},
    )
    labels = {ours: "HEAD", sides.theirs: label_of(repository, sides.theirs)}
    return with_labels(plan, labels)


def merge(repository: Repository, sides: Sides, plan: MergePlan) -> None:
    """Merge into the index and the work tree, without a commit."""
    command = ("cherry-pick", "--strategy=ort", "--no-commit", sides.theirs)
    done = repository.run(*command)
    if done.returncode and not parse_unmerged(repository.git(*UNMERGED)):
        # On a full disk git names the lock too, after it has written files.
        if "index.lock': File exists" in done.stderr:
            raise RepositoryLockedError(str(repository.git_dir / "index.lock"))
        reason = "; ".join(done.stderr.strip().split("\n"))
        raise MergeError(str(repository.root), reason)
    if plan.resolved:
        repository.git(LITERAL, "rm", "--quiet", "--force", "--", *plan.resolved)


# ---- The plan -----------------------------------------------------------------------


def commit_ours(repository: Repository, sides: Sides) -> str:
    """Return a commit of the user's files whose parent is the old render."""
    options = ("-p", sides.base, "-m", "ours")
    return repository.git("commit-tree", "HEAD^{tree}", *options).strip()


def merge_trees(
    repository: Repository, ours: str, sides: Sides
) -> tuple[str, dict[str, Stages]]:
    """Return the merged tree, and the stages of each conflict by path."""
    command = ("merge-tree", "--write-tree", "-z", "--no-messages")
    done = repository.run(*command, ours, sides.theirs)
    if done.returncode > 1:
        raise command_error(done)
    tree, *lines = done.stdout.split("\0")
    conflicts: dict[str, Stages] = {}
    for line in filter(None, lines):
        facts, _tab, path = line.partition("\t")
        _mode, blob, stage = facts.split()
        conflicts.setdefault(path, {})[stage] = blob
    return tree, dict(sorted(conflicts.items()))


def kind_of(stages: Stages) -> str:
    """Return the kind of a conflict, as `git status` shows it."""
    return KINDS["".join(sorted(stages))]


def is_deleted(stages: Stages) -> bool:
    """Return whether the user has deleted a file that the new version changes."""
    return kind_of(stages) == "DU"


def is_resolved(stages: Stages) -> bool:
    """Return whether a conflict ends without a file, because no line is the user's.

    The user has deleted the file, or has moved without an edit what the new version
    drops.
    """
    is_moved = kind_of(stages) == "UD" and stages["1"] == stages["2"]
    return is_moved or is_deleted(stages)


def original_names(
    repository: Repository,
    sides: Sides,
    deleted: list[str],
    conflicts: dict[str, Stages],
) -> list[str]:
    """Return deleted files by their names before the template moved them."""
    if not deleted:
        return []
    files = entries_of(repository, sides.base)
    names = {entry.blob: path for path, entry in files.items()}
    return sorted(
        path if path in files else names.get(conflicts[path]["1"], path)
        for path in deleted
    )


def tree_without(
    repository: Repository, tree: str, paths: list[str], index: Path
) -> str:
    """Return a tree without some of its paths."""
    if not paths:
        return tree
    env = {"GIT_INDEX_FILE": str(index)}
    repository.git("read-tree", tree, env=env)
    stdin = "".join(f"{path}\0" for path in paths)
    command = ("update-index", "--force-remove", "-z", "--stdin")
    repository.git(*command, stdin=stdin, env=env)
    return repository.git("write-tree", "--missing-ok", env=env).strip()


def changes_since_head(repository: Repository, tree: str) -> list[Change]:
    """Return the differences between the last commit and a tree."""
    options = ("--no-renames", "--no-ext-diff", "--no-textconv")
    command = ("diff", "--raw", "--numstat", "-z", *options, "HEAD", tree)
    words = iter(repository.git(*command).split("\0"))
    statuses: dict[str, str] = {}
    changes = []
    for word in filter(None, words):
        if word.startswith(":"):
            statuses[next(words)] = word[-1]
        else:
            added, removed, path = word.split("\t", 2)
            kind = VERBS.get(statuses[path], "changed")
            changes.append(Change(path, kind, count(added), count(removed)))
    return sorted(changes, key=lambda change: change.path)


def count(lines: str) -> int:
    """Return a number of lines; git counts none in a binary file."""
    return int(lines) if lines.isdecimal() else 0


def created_paths(changes: list[Change]) -> list[str]:
    """Return the paths of new files."""
    return [change.path for change in changes if change.kind == "created"]


def require_no_untracked(repository: Repository, paths: list[str]) -> None:
    """Refuse to overwrite untracked files, or links in place of folders."""
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    blocked = [path for path in parents if is_file_or_link(repository.root / path)]
    command = (LITERAL, "ls-files", "--others", "-z", "--")
    listing = repository.git(*command, *paths, *blocked) if paths else ""
    if found := set(listing.split("\0")) - {""}:
        raise UntrackedFilesError(summarize_paths(sorted(found)))


def is_file_or_link(path: Path) -> bool:
    """Return whether a path is something else than a folder."""
    return path.is_symlink() or path.is_file()


def require_writable(folders: Iterable[Path]) -> None:
    """Refuse folders that are not writable."""
    access = os.W_OK | os.X_OK
    closed = sorted({str(each) for each in folders if not os.access(each, access)})
    if closed:
        raise FoldersNotWritableError(summarize_paths(closed))


def parent_of(path: Path) -> Path:
    """Return the innermost folder around a path that exists."""
    return next(parent for parent in path.parents if parent.is_dir())


# ---- Labels -------------------------------------------------------------------------


def label_of(repository: Repository, commit: str) -> str:
    """Return git's label for a commit in markers and in names of files."""
    return repository.git("show", "--no-patch", "--format=%h (%s)", commit).strip()


def with_labels(plan: MergePlan, labels: dict[str, str]) -> MergePlan:
    """Name the files that git moves aside NAME~LABEL, as the merge itself does.

    `git merge-tree` uses the hashes of the commits as labels.
    """

    def named(path: str) -> str:
        name, tilde, commit = path.rpartition("~")
        return f"{name}~{labels[commit]}" if tilde and commit in labels else path

    return replace(
        plan,
        changes=[replace(each, path=named(each.path)) for each in plan.changes],
        conflicts={named(path): kind for path, kind in plan.conflicts.items()},
        resolved=[named(path) for path in plan.resolved],
        blobs={named(path): blob for path, blob in plan.blobs.items()},
    )

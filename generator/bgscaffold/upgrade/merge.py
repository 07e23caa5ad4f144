"""The merge: two rendered trees, and the way from one to the other laid over the user's files.

Git does the merging, so what a user has edited, renamed or deleted counts as in any merge of his.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from bgscaffold.git.client import command_error
from bgscaffold.git.errors import RepositoryLockedError
from bgscaffold.git.repository import LITERAL, Repository, summarize_paths
from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.upgrade.errors import (
    FoldersNotWritableError,
    MergeError,
    UntrackedFilesError,
)

Files = dict[str, Path]
Stages = dict[str, dict[str, str]]  # by path, then by the number of the stage: a blob

# Which of base, ours and theirs a conflict has, as numbers of its stages; the names are git's.
KINDS = {
    "1": "DD",
    "2": "AU",
    "3": "UA",
    "12": "UD",
    "13": "DU",
    "23": "AA",
    "123": "UU",
}


@dataclass(frozen=True)
class Sides:
    """What is merged: the commit of the old render, and that of the new one on top of it."""

    base: str
    theirs: str
    left_out: Files  # what the new render holds but git must not have
    index: Path  # where an index may lie for a while


@dataclass(frozen=True)
class Change:
    """What becomes of one file, against the last commit."""

    path: str
    kind: str
    added: int
    removed: int


@dataclass(frozen=True)
class MergeResult:
    """What a merge does, or would do; the paths are those of the repository."""

    changes: list[Change]
    conflicts: dict[str, str]
    stay_deleted: list[str]
    blobs: dict[str, str] = field(
        default_factory=dict, compare=False
    )  # what git is to write


def write_sides(
    repository: Repository, old: Path, new: Path, *, kept: list[str], message: str
) -> Sides:
    """Write two renders into the repository's objects, where nothing refers to them."""
    before, after = rendered_files(old), rendered_files(new)
    left_out = excluded_paths(repository, before | after, kept)
    others, answers = head_entries(repository)
    blobs = write_blobs(repository, [*before.values(), *after.values()])
    # The answers that stand there are their own base: whatever they say, the new ones win.
    blobs[before[ANSWERS_FILE]] = answers
    trees = []
    for folder, files in ((old, before), (new, after)):
        entries = [
            f"{mode(file)} {blobs[file]}\t{repository.prefix}{path}"
            for path, file in files.items()
            if path not in left_out
        ]
        trees.append(
            write_tree(repository, [*others, *entries], folder.with_name("index"))
        )
    base = repository.git("commit-tree", trees[0], "-m", "before").strip()
    theirs = repository.git("commit-tree", trees[1], "-p", base, "-m", message).strip()
    not_merged = {path: after[path] for path in sorted(left_out & after.keys())}
    return Sides(base, theirs, not_merged, new.with_name("index"))


def rendered_files(folder: Path) -> Files:
    """Return every file of a render by its path in the project."""
    return {
        file.relative_to(folder).as_posix(): file
        for file in folder.rglob("*")
        if file.is_file()
    }


def excluded_paths(repository: Repository, files: Files, kept: list[str]) -> set[str]:
    """Return the paths that a merge must leave alone, because git could not give them back.

    Git takes what is ignored for expendable. A file that is tracked all the same is safe.
    """
    places = {
        path: link_or_path(repository, f"{repository.prefix}{path}") for path in files
    }
    # `./`, for a name may begin with a colon, and this command knows no --literal-pathspecs.
    stdin = "".join(f"./{place}\0" for place in set(places.values()))
    done = repository.call("check-ignore", "-z", "--stdin", stdin=stdin)
    if done.returncode > 1:
        raise command_error(done)
    ignored = {place.removeprefix("./") for place in done.stdout.split("\0")}
    return {
        path
        for path, place in places.items()
        if place in ignored or any(PurePosixPath(path).match(glob) for glob in kept)
    }


def link_or_path(repository: Repository, path: str) -> str:
    """Return a path, or the link on the way to it that stands in place of a folder."""
    outermost_first = [*reversed(PurePosixPath(path).parents)]
    links = [
        parent for parent in outermost_first if (repository.root / parent).is_symlink()
    ]
    return str(links[0]) if links else path


def head_entries(repository: Repository) -> tuple[list[str], str]:
    """Return the entries of the last commit outside the project, and the blob of its answers.

    The entries stand on both sides, or a file deleted in the project would be taken for renamed to
    its twin in another project of the same repository.
    """
    files = entries_of(repository, "HEAD")
    others = [
        entry for path, entry in files.items() if not path.startswith(repository.prefix)
    ]
    return others, files[f"{repository.prefix}{ANSWERS_FILE}"].split()[2]


def entries_of(repository: Repository, commit: str) -> dict[str, str]:
    """Return git's lines `mode type object TAB path` about a commit, by path."""
    lines = repository.git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
    return {line.partition("\t")[2]: line for line in lines if line}


def write_blobs(repository: Repository, files: list[Path]) -> dict[Path, str]:
    """Write files into the repository's objects, byte for byte."""
    paths = "".join(f"{file}\n" for file in files)
    blobs = repository.git(
        "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=paths
    )
    return dict(zip(files, blobs.split(), strict=True))


def mode(file: Path) -> str:
    """Return what git calls the permissions of a file."""
    return "100755" if file.stat().st_mode & 0o100 else "100644"


def write_tree(repository: Repository, entries: list[str], index: Path) -> str:
    """Write a tree with these entries, through an index of its own."""
    index.unlink(missing_ok=True)
    own = {"GIT_INDEX_FILE": str(index)}
    stdin = "".join(f"{entry}\0" for entry in entries)
    repository.git("update-index", "-z", "--index-info", stdin=stdin, env=own)
    # A partial clone need not have what lies outside the project.
    return repository.git("write-tree", "--missing-ok", env=own).strip()


def preview_merge(repository: Repository, sides: Sides) -> MergeResult:
    """Tell what the merge will do, touching nothing; refuse it where it would overwrite a file."""
    ours = repository.git(
        "commit-tree", "HEAD^{tree}", "-p", sides.base, "-m", "ours"
    ).strip()
    merging = ("merge-tree", "--write-tree", "-z", "--no-messages")
    done = repository.call(*merging, ours, sides.theirs)
    if done.returncode > 1:
        raise command_error(done)
    tree, *lines = done.stdout.split("\0")
    stages = parse_stages(lines)
    changes = changes_since_head(
        repository, tree_without(repository, tree, auto_resolved(stages), sides.index)
    )
    new = [each.path for each in changes if each.kind == "created"]
    require_no_untracked(
        repository, [*new, *deleted_by_user(stages)]
    )  # which git writes for a moment
    require_writable(
        nearest_folder(repository.root / change.path) for change in changes
    )
    deleted = original_names(repository, sides, stages)
    blobs = {
        path: entry.split()[2] for path, entry in entries_of(repository, tree).items()
    }
    foreseen = MergeResult(changes, open_conflicts(stages), deleted, blobs)
    return rename_sides(
        foreseen, {ours: "HEAD", sides.theirs: side_label(repository, sides)}
    )


def require_no_untracked(repository: Repository, new: list[str]) -> None:
    """Refuse a merge that would overwrite what git does not track, or need a folder there."""
    parents = {str(parent) for path in new for parent in PurePosixPath(path).parents}
    blocked = [path for path in parents if blocks_folder(repository.root / path)]
    look = (LITERAL, "ls-files", "--others", "-z", "--")
    there = repository.git(*look, *new, *blocked) if new else ""
    if found := set(there.split("\0")) - {""}:
        raise UntrackedFilesError(summarize_paths(sorted(found)))


def blocks_folder(path: Path) -> bool:
    """Tell whether something else than a folder stands there, such as a link to one."""
    return path.is_symlink() or path.is_file()


def require_writable(folders: Iterable[Path]) -> None:
    """Refuse a merge that has to change folders which may not be changed."""
    closed = sorted(
        {str(each) for each in folders if not os.access(each, os.W_OK | os.X_OK)}
    )
    if closed:
        raise FoldersNotWritableError(summarize_paths(closed))


def nearest_folder(path: Path) -> Path:
    """Return the innermost folder around a path that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def side_label(repository: Repository, sides: Sides) -> str:
    """Return what git will call the new version in markers and in names."""
    return repository.git(
        "show", "--no-patch", "--format=%h (%s)", sides.theirs
    ).strip()


def rename_sides(merged: MergeResult, names: dict[str, str]) -> MergeResult:
    """Name the files that git moves aside, as NAME~VERSION, as it will when it merges."""

    def later(path: str) -> str:
        start, tilde, end = path.rpartition("~")
        return f"{start}~{names[end]}" if tilde and end in names else path

    changes = [replace(change, path=later(change.path)) for change in merged.changes]
    unsettled = {later(path): kind for path, kind in merged.conflicts.items()}
    blobs = {later(path): blob for path, blob in merged.blobs.items()}
    return MergeResult(changes, unsettled, merged.stay_deleted, blobs)


def tree_without(
    repository: Repository, tree: str, paths: list[str], index: Path
) -> str:
    """Return a tree that lacks some paths of another."""
    if not paths:
        return tree
    own = {"GIT_INDEX_FILE": str(index)}
    repository.git("read-tree", tree, env=own)
    stdin = "".join(f"{path}\0" for path in paths)
    repository.git(
        "update-index", "--force-remove", "-z", "--stdin", stdin=stdin, env=own
    )
    return repository.git("write-tree", "--missing-ok", env=own).strip()


def merge(repository: Repository, sides: Sides) -> MergeResult:
    """Merge into index and work tree, committing nothing; what is new is staged as well."""
    done = repository.call("cherry-pick", "--strategy=ort", "--no-commit", sides.theirs)
    stages = parse_stages(repository.git("ls-files", "--unmerged", "-z").split("\0"))
    if done.returncode and not stages:
        if "index.lock'" in done.stderr:
            raise RepositoryLockedError(str(repository.git_dir / "index.lock"))
        if names := [
            line.strip() for line in done.stderr.split("\n") if line.startswith("\t")
        ]:
            raise UntrackedFilesError(summarize_paths(sorted(set(names))))
        raise MergeError(
            str(repository.root), "; ".join(done.stderr.strip().split("\n"))
        )
    if paths := auto_resolved(stages):
        repository.git(LITERAL, "rm", "--quiet", "--force", "--", *paths)
    deleted = original_names(repository, sides, stages)
    return MergeResult(changes_since_head(repository), open_conflicts(stages), deleted)


def parse_stages(lines: list[str]) -> Stages:
    """Return the stages of each path in conflict from git's lines `mode object stage TAB path`."""
    found: Stages = {}
    for facts, tab, path in (line.partition("\t") for line in lines):
        if tab:
            _mode, blob, stage = facts.split()
            found.setdefault(path, {})[stage] = blob
    return dict(sorted(found.items()))


def auto_resolved(stages: Stages) -> list[str]:
    """Return the conflicts that end with no file: nothing in it was written by the user."""
    moved = [path for path, blobs in stages.items() if is_only_moved(blobs)]
    return [*deleted_by_user(stages), *moved]


def is_only_moved(blobs: dict[str, str]) -> bool:
    """Tell whether the user has moved, and not edited, a file that the new version drops."""
    return conflict_kind(blobs) == "UD" and blobs["1"] == blobs["2"]


def deleted_by_user(stages: Stages) -> list[str]:
    """Return the files that the user has deleted, and that the new version changes."""
    return [path for path, blobs in stages.items() if conflict_kind(blobs) == "DU"]


def original_names(repository: Repository, sides: Sides, stages: Stages) -> list[str]:
    """Return the same files by the names that the user knows, if the new version renames them."""
    files = entries_of(repository, sides.base) if deleted_by_user(stages) else {}
    names = {entry.split()[2]: path for path, entry in files.items()}
    return sorted(
        path if path in files else names.get(stages[path]["1"], path)
        for path in deleted_by_user(stages)
    )


def open_conflicts(stages: Stages) -> dict[str, str]:
    """Return the kind of each conflict that is left to the user."""
    settled = auto_resolved(stages)
    return {
        path: conflict_kind(blobs)
        for path, blobs in stages.items()
        if path not in settled
    }


def conflict_kind(blobs: dict[str, str]) -> str:
    """Return what git calls a conflict that has these stages."""
    return KINDS["".join(sorted(blobs))]


def changes_since_head(repository: Repository, *tree: str) -> list[Change]:
    """Return how each file differs from the last commit."""
    how = ("--raw", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    words = iter(repository.git("diff", *how, "HEAD", *tree).split("\0"))
    states: dict[str, str] = {}
    changes = []
    for word in words:
        if word.startswith(":"):
            states.setdefault(next(words), word[-1])
        elif word:
            added, removed, path = word.split("\t", 2)
            changes.append(parse_change(path, states[path], added, removed))
    return sorted(changes, key=lambda change: change.path)


def parse_change(path: str, state: str, added: str, removed: str) -> Change:
    """Return a change in our words; git counts no lines of what is no text."""
    what = {"A": "created", "D": "deleted"}.get(state, "changed")
    lines = [int(count) if count.isdecimal() else 0 for count in (added, removed)]
    return Change(path, what, *lines)

"""The two renders as commits in the user's repository, to which nothing refers."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bgscaffold.git.client import command_error
from bgscaffold.git.repository import Repository
from bgscaffold.layout import ANSWERS_FILE
from bgscaffold.upgrade.workspace import Renders

Files = dict[str, Path]  # rendered files by their path in the project


@dataclass(frozen=True)
class Sides:
    """The sides of the merge."""

    base: str  # the commit of the old render
    theirs: str  # the commit of the new render, whose parent is `base`
    left_out: Files  # files of the new render that git must not merge
    index: Path  # a path for a temporary index


@dataclass(frozen=True)
class TreeEntry:
    """A file in a tree of git."""

    path: str
    mode: str
    blob: str

    def __str__(self) -> str:
        return f"{self.mode} {self.blob}\t{self.path}"


def write_sides(repository: Repository, renders: Renders, message: str) -> Sides:
    """Write both renders to the object database of the repository."""
    old, new = rendered_files(renders.old), rendered_files(renders.new)
    excluded = excluded_paths(repository, old | new, renders.skip_if_exists)
    index = renders.new.with_name("index")
    blobs = write_blobs(repository, [*old.values(), *new.values()])
    head = entries_of(repository, "HEAD")
    # The answers in HEAD are their own base, so the new ones win whatever they say.
    blobs[old[ANSWERS_FILE]] = head[f"{repository.prefix}{ANSWERS_FILE}"].blob
    outside = entries_outside(repository, head)

    def commit(files: Files, *options: str) -> str:
        merged = {path: file for path, file in files.items() if path not in excluded}
        inside = render_entries(repository, merged, blobs)
        tree = write_tree(repository, [*outside, *inside], index)
        return repository.git("commit-tree", tree, *options).strip()

    base = commit(old, "-m", "before")
    theirs = commit(new, "-p", base, "-m", message)
    left_out = {path: new[path] for path in sorted(excluded & new.keys())}
    return Sides(base=base, theirs=theirs, left_out=left_out, index=index)


def rendered_files(folder: Path) -> Files:
    """Return every file of a render."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {file.relative_to(folder).as_posix(): file for file in files}


def excluded_paths(repository: Repository, files: Files, skip: list[str]) -> set[str]:
    """Return the paths that the merge must not touch, because git could not undo it.

    Git overwrites ignored files without asking. A tracked file is safe, ignored or not.
    """
    places = {path: link_or_path(repository, path) for path in files}
    ignored = ignored_paths(repository, set(places.values()))
    return {
        path
        for path, place in places.items()
        if place in ignored or any(PurePosixPath(path).match(glob) for glob in skip)
    }


def ignored_paths(repository: Repository, paths: Iterable[str]) -> set[str]:
    """Return the paths that git ignores and does not track."""
    # `./`, because a name may start with a colon.
    stdin = "".join(f"./{path}\0" for path in paths)
    done = repository.run("check-ignore", "-z", "--stdin", stdin=stdin)
    if done.returncode > 1:
        raise command_error(done)
    return {path.removeprefix("./") for path in done.stdout.split("\0")}


def link_or_path(repository: Repository, path: str) -> str:
    """Return a path in the repository, or the link that replaces one of its folders."""
    whole = PurePosixPath(f"{repository.prefix}{path}")
    for folder in reversed(whole.parents):
        if (repository.root / folder).is_symlink():
            return str(folder)
    return f"{repository.prefix}{path}"


def entries_outside(
    repository: Repository, head: dict[str, TreeEntry]
) -> list[TreeEntry]:
    """Return the files of the last commit outside the project.

    Both sides have them, or git would take a file that is deleted in the project for
    renamed to a file of another project in the same repository.
    """
    prefix = repository.prefix
    return [entry for path, entry in head.items() if not path.startswith(prefix)]


def entries_of(repository: Repository, commit: str) -> dict[str, TreeEntry]:
    """Return the files of a commit by path."""
    command = ("ls-tree", "-r", "-z", "--full-tree", commit)
    entries = {}
    for line in repository.git(*command).split("\0")[:-1]:
        facts, _tab, path = line.partition("\t")
        mode, _type, blob = facts.split()
        entries[path] = TreeEntry(path=path, mode=mode, blob=blob)
    return entries


def write_blobs(repository: Repository, files: list[Path]) -> dict[Path, str]:
    """Write the content of files to the object database, unchanged."""
    paths = "".join(f"{file}\n" for file in files)
    command = ("hash-object", "-w", "--no-filters", "--stdin-paths")
    blobs = repository.git(*command, stdin=paths).split()
    return dict(zip(files, blobs, strict=True))


def render_entries(
    repository: Repository, files: Files, blobs: dict[Path, str]
) -> list[TreeEntry]:
    """Return the entries of rendered files."""
    return [
        TreeEntry(f"{repository.prefix}{path}", file_mode(file), blobs[file])
        for path, file in files.items()
    ]


def file_mode(file: Path) -> str:
    """Return git's name for the permissions of a file."""
    return "100755" if file.stat().st_mode & 0o100 else "100644"


def write_tree(repository: Repository, entries: list[TreeEntry], index: Path) -> str:
    """Write a tree through a temporary index."""
    index.unlink(missing_ok=True)
    env = {"GIT_INDEX_FILE": str(index)}
    stdin = "".join(f"{entry}\0" for entry in entries)
    repository.git("update-index", "-z", "--index-info", stdin=stdin, env=env)
    # A partial clone may lack objects outside the project.
    return repository.git("write-tree", "--missing-ok", env=env).strip()

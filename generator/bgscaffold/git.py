"""Git, called so that nothing the user has configured can change or break the outcome."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from bgscaffold.errors import GitFailed, GitMissing, GitTooOld

OLDEST = (2, 31)  # the first that reads GIT_CONFIG_COUNT

CONFIG = {
    "commit.gpgSign": "false",
    "core.autocrlf": "false",
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.safecrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.file.allow": "always",
}
IDENTITY = {"user.name": "bgscaffold", "user.email": "bgscaffold@localhost"}

# Set by git around a hook: they would send our commands to the repository that the hook runs in.
LOCAL = ("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES")


def require_git() -> None:
    """Refuse a machine without git, or with one that ignores our configuration."""
    if shutil.which("git") is None:
        raise GitMissing("git")
    version = git("version", cwd=Path.cwd())
    found = re.search(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise GitTooOld(version)


def git(*arguments: str, cwd: Path, config: dict[str, str] | None = None) -> str:
    """Run one git command and return what it printed."""
    completed = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env=environment(CONFIG | (config or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if completed.returncode:
        command = next(word for word in arguments if not word.startswith("-"))
        raise GitFailed(f"git {command}", completed.stderr.strip())
    return completed.stdout.strip()


def environment(config: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with git configuration added to the user's own."""
    variables = {k: v for k, v in os.environ.items() if k not in {f"GIT_{name}" for name in LOCAL}}
    first = int(variables.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(config.items(), first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables | {
        "GIT_CONFIG_COUNT": str(first + len(config)),
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def work_tree(folder: Path) -> Path | None:
    """Return the root of the repository that a folder lies in, if it lies in one."""
    try:
        return Path(git("rev-parse", "--show-toplevel", cwd=folder))
    except GitFailed:
        return None


def has_identity(folder: Path) -> bool:
    """Tell whether git knows, without guessing, in whose name to commit."""
    try:
        git("var", "GIT_AUTHOR_IDENT", cwd=folder, config={"user.useConfigOnly": "true"})
        git("var", "GIT_COMMITTER_IDENT", cwd=folder, config={"user.useConfigOnly": "true"})
    except GitFailed:
        return False
    return True


def commit_all(folder: Path, message: str) -> bool:
    """Commit all of a folder to a new repository; tell whether in the user's own name."""
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    named = has_identity(folder)
    identity = {} if named else IDENTITY
    git("commit", "--quiet", f"--message={message}", cwd=folder, config=identity)
    return named

"""Git, called so that nothing the user has configured can change or break the outcome.

His name and e-mail, for the first commit, are all that is taken from his configuration. Only in a
repository of his, which promote and update change, the rest of it counts: see repository.py.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bgscaffold.git.errors import GitCommandError, GitNotFoundError, GitTooOldError

MINIMUM_VERSION = (2, 31)  # the first that reads GIT_CONFIG_COUNT
MERGE_TREE = (
    2,
    38,
)  # the first that merges without a work tree: `git merge-tree --write-tree`

CONFIG = {
    "core.hooksPath": os.devnull,
    "maintenance.auto": "false",
    "safe.directory": "*",  # a checkout, or a repository around the project, may be another user's
}
IDENTITY = {"user.name": "bgscaffold", "user.email": "bgscaffold@localhost"}
PIPES: dict[str, Any] = {
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "encoding": sys.getfilesystemencoding(),
    "errors": "surrogateescape",  # so that a name goes back to git as the bytes that it was
}
NAMING = r"^(user|author|committer)\.(name|email)$"
NAMING_VARIABLES = {
    "GIT_AUTHOR_NAME": "author.name",
    "GIT_AUTHOR_EMAIL": "author.email",
    "GIT_COMMITTER_NAME": "committer.name",
    "GIT_COMMITTER_EMAIL": "committer.email",
}


def require_git() -> None:
    """Refuse a machine without git, or with one that ignores our configuration."""
    if shutil.which("git") is None:
        raise GitNotFoundError("git")
    if parse_version(told := git_version()) < MINIMUM_VERSION:
        raise GitTooOldError(told)


def git_version() -> str:
    """Return what git says about itself."""
    return git("version", cwd=Path.cwd())


def parse_version(told: str) -> tuple[int, int]:
    """Return what `git version` told, as numbers; what cannot be read is older than all."""
    found = re.search(r"(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def supports_merge_tree() -> bool:
    """Tell whether this git can merge without touching anything."""
    return parse_version(git_version()) >= MERGE_TREE


def git(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run one git command, apart from what the user has configured, and return what it printed."""
    completed = run_git(*arguments, cwd=cwd, env=isolated_env() if env is None else env)
    if completed.returncode:
        raise command_error(completed)
    return completed.stdout.strip()


@contextmanager
def git_in_background(
    *arguments: str, cwd: Path, env: dict[str, str]
) -> Iterator[None]:
    """Run one git command while something else is done; it must succeed, and ends in any case."""
    command = ["git", *arguments]
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, **PIPES
    ) as process:
        try:
            yield
            out, err = process.communicate()
        except BaseException:  # as `subprocess.run` does
            process.kill()
            raise
    if process.returncode:
        raise command_error(
            subprocess.CompletedProcess(command, process.returncode, out, err)
        )


def run_git(
    *arguments: str,
    cwd: Path,
    env: dict[str, str],
    stdin: str = "",
    alone: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run one git command to its end; alone, no Ctrl-C of the terminal reaches it."""
    command = ["git", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        input=stdin,
        check=False,
        start_new_session=alone,
        **PIPES,
    )


def command_error(completed: subprocess.CompletedProcess[str]) -> GitCommandError:
    """Return the refusal that names a git command and gives its reason."""
    command = next(word for word in completed.args[1:] if not word.startswith("-"))
    return GitCommandError(f"git {command}", completed.stderr.strip())


def isolated_env(config: dict[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which git reads this configuration and no other.

    To add to the user's own is not enough: a wrong value in it ends git before ours is read.
    """
    # A home, as GIT_CONFIG_GLOBAL does not keep git from ~/.config/git/attributes.
    nowhere = {"HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull}
    own = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    pairs = list((CONFIG | (config or {})).items())
    for number, (key, value) in enumerate(pairs):
        own |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    kept = env_without_git(but="GIT_EXEC_PATH")  # which says where git itself lies
    return kept | nowhere | own | {"GIT_CONFIG_COUNT": str(len(pairs)), "LC_ALL": "C"}


def env_without_git(*, but: str | tuple[str, ...]) -> dict[str, str]:
    """Return this process's environment without git's variables, but for those of some prefixes."""
    variables = os.environ.items()
    return {k: v for k, v in variables if not k.startswith("GIT_") or k.startswith(but)}


def work_tree_root(folder: Path) -> Path | None:
    """Return the root of the repository that a folder lies in, if it lies in one."""
    try:
        return Path(git("rev-parse", "--show-toplevel", cwd=folder))
    except GitCommandError:
        return None


def users_identity(folder: Path) -> dict[str, str]:
    """Return the names and e-mails that the user has told git, as git configuration."""
    told = ""
    with suppress(GitCommandError):  # which it also does when it finds none
        env = env_without_git(but="GIT_CONFIG_")
        told = git("config", "--null", "--get-regexp", NAMING, cwd=folder, env=env)
    entries = [entry.partition("\n") for entry in told.split("\0") if entry]
    return {key: value for key, _, value in entries} | {
        key: os.environ[name]
        for name, key in NAMING_VARIABLES.items()
        if name in os.environ
    }


def identity_is_complete(identity: dict[str, str], folder: Path) -> bool:
    """Tell whether git knows from this, without guessing, in whose name to commit."""
    env = isolated_env(identity | {"user.useConfigOnly": "true"})
    try:
        git("var", "GIT_AUTHOR_IDENT", cwd=folder, env=env)
        git("var", "GIT_COMMITTER_IDENT", cwd=folder, env=env)
    except GitCommandError:
        return False
    return True


def commit_all(folder: Path, message: str) -> bool:
    """Commit all of a folder to a new repository; tell whether in the user's own name."""
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    return commit(folder, f"--message={message}")


def amend_all(folder: Path) -> None:
    """Add all that a folder holds by now to its last commit."""
    commit(folder, "--amend", "--no-edit")


def commit(folder: Path, *how: str) -> bool:
    """Commit all of a folder; tell whether in the user's own name."""
    git("add", "--all", cwd=folder)
    users = users_identity(folder)
    named = identity_is_complete(users, folder)
    env = isolated_env(users if named else IDENTITY)
    git("commit", "--quiet", *how, cwd=folder, env=env)
    return named

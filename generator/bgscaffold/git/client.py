"""Git, run so that the user's configuration can neither change nor break the outcome.

The name and e-mail for the first commit are all that is read from it. The rest counts
only in the user's own repository, where promote and update merge: see repository.py.
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

MINIMUM_VERSION = (2, 38)  # the first with `git merge-tree --write-tree`

CONFIG = {
    "core.hooksPath": os.devnull,
    "maintenance.auto": "false",
    "safe.directory": "*",  # a checkout or an outer repository may be another user's
}
IDENTITY = {"user.name": "bgscaffold", "user.email": "bgscaffold@localhost"}
PIPES: dict[str, Any] = {
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "encoding": sys.getfilesystemencoding(),
    "errors": "surrogateescape",  # so that file names go back to git unchanged
}
IDENTITY_KEYS = r"^(user|author|committer)\.(name|email)$"
IDENTITY_VARIABLES = {
    "GIT_AUTHOR_NAME": "author.name",
    "GIT_AUTHOR_EMAIL": "author.email",
    "GIT_COMMITTER_NAME": "committer.name",
    "GIT_COMMITTER_EMAIL": "committer.email",
}


def require_git() -> None:
    """Refuse a machine without git, or with one that is too old."""
    if shutil.which("git") is None:
        raise GitNotFoundError("git")
    version = git("version", cwd=Path.cwd())
    if parse_version(version) < MINIMUM_VERSION:
        raise GitTooOldError(version)


def parse_version(text: str) -> tuple[int, int]:
    """Return the numbers in the output of `git version`, (0, 0) if there are none."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def git(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run git without the user's configuration, and return what it printed."""
    done = run_git(*arguments, cwd=cwd, env=env or isolated_env())
    if done.returncode:
        raise command_error(done)
    return done.stdout.strip()


@contextmanager
def git_in_background(
    *arguments: str, cwd: Path, env: dict[str, str]
) -> Iterator[None]:
    """Run git while the block runs; kill it if the block fails."""
    command = ["git", *arguments]
    stdin = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=cwd, env=env, stdin=stdin, **PIPES) as process:
        try:
            yield
            out, err = process.communicate()
        except BaseException:  # as `subprocess.run` does
            process.kill()
            raise
    if code := process.returncode:
        raise command_error(subprocess.CompletedProcess(command, code, out, err))


def run_git(
    *arguments: str,
    cwd: Path,
    env: dict[str, str],
    stdin: str = "",
    new_session: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run git to its end; in a session of its own, Ctrl-C does not reach it."""
    return subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env=env,
        input=stdin,
        check=False,
        start_new_session=new_session,
        **PIPES,
    )


def command_error(done: subprocess.CompletedProcess[str]) -> GitCommandError:
    """Return the error that names the git command, with the reason it gave."""
    command = next(word for word in done.args[1:] if not word.startswith("-"))
    return GitCommandError(f"git {command}", done.stderr.strip())


def isolated_env(config: dict[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which git reads this configuration and no other.

    The user's configuration must not even be read, because a wrong value in it stops
    git. HOME is hidden because of ~/.config/git/attributes.
    """
    nowhere = {"HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull}
    options = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    kept = env_without_git(keep=("GIT_EXEC_PATH",))
    return kept | nowhere | options | config_variables(CONFIG | (config or {}))


def config_variables(config: dict[str, str], start: int = 0) -> dict[str, str]:
    """Return the variables that give git configuration entries from `start` on."""
    variables = {"GIT_CONFIG_COUNT": str(start + len(config))}
    for number, (key, value) in enumerate(config.items(), start):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def env_without_git(*, keep: tuple[str, ...]) -> dict[str, str]:
    """Return the environment without git's variables, except those that start so."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(keep)
    }


def work_tree_root(folder: Path) -> Path | None:
    """Return the root of the repository around a folder, if there is one."""
    try:
        return Path(git("rev-parse", "--show-toplevel", cwd=folder))
    except GitCommandError:
        return None


def user_identity(folder: Path) -> dict[str, str]:
    """Return the names and e-mails in the user's git configuration and environment."""
    entries = ""
    env = env_without_git(keep=("GIT_CONFIG_",))
    with suppress(GitCommandError):  # also if there are none
        command = ("config", "--null", "--get-regexp", IDENTITY_KEYS)
        entries = git(*command, cwd=folder, env=env)
    pairs = [entry.partition("\n") for entry in entries.split("\0") if entry]
    return {key: value for key, _, value in pairs} | {
        key: os.environ[name]
        for name, key in IDENTITY_VARIABLES.items()
        if name in os.environ
    }


def identity_is_complete(identity: dict[str, str], folder: Path) -> bool:
    """Return whether git can commit with an identity, without guessing any of it."""
    env = isolated_env(identity | {"user.useConfigOnly": "true"})
    try:
        git("var", "GIT_AUTHOR_IDENT", cwd=folder, env=env)
        git("var", "GIT_COMMITTER_IDENT", cwd=folder, env=env)
    except GitCommandError:
        return False
    return True


def commit_all(folder: Path, message: str) -> bool:
    """Create a repository with all files, and return whether the user is the author."""
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    return commit(folder, f"--message={message}")


def amend_all(folder: Path) -> None:
    """Add all files to the last commit."""
    commit(folder, "--amend", "--no-edit")


def commit(folder: Path, *options: str) -> bool:
    """Commit all files, and return whether the user is the author."""
    git("add", "--all", cwd=folder)
    identity = user_identity(folder)
    complete = identity_is_complete(identity, folder)
    env = isolated_env(identity if complete else IDENTITY)
    git("commit", "--quiet", *options, cwd=folder, env=env)
    return complete

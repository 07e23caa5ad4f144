"""A small disk over `var/`, in a mount namespace of its own, that can be filled."""

import errno
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from bgscaffold.verify.suite.faults.context import Context, LeftOutError
from bgscaffold.verify.suite.faults.task_runs import TaskRuns

SIZE = "8m"
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'


QUERY = """
import contextlib, json, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1], timeout=20)) as connection:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""


class TaskRunsOnDisk(TaskRuns):
    """The outbox on that disk. SQLite opens it in the namespace only."""

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context.processes.folder)
        self._processes = context.processes
        self._name = name

    def rows(self, statement: str) -> list[Any]:
        """Return the rows of a query."""
        target = f"--target={self._processes.main(self._name)}"
        enter = ["nsenter", "--preserve-credentials", "--user", "--mount", target]
        query = [sys.executable, "-c", QUERY, str(self.file), statement]
        command = [*enter, *query]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        rows: list[Any] = json.loads(done.stdout)
        return rows


class SmallDisk:
    """The folder `var/` of one process; no other process sees this disk."""

    def __init__(self, context: Context, name: str) -> None:
        if not can_mount():
            raise LeftOutError("this machine does not allow mounting a disk")
        self._processes = context.processes
        self._name = name
        wrapper = ["unshare", "-Urm", "sh", "-ec", MOUNT, SIZE, "var"]
        self._processes.wrapper = wrapper

    @property
    def folder(self) -> Path:
        """The path to it from outside the namespace."""
        pid = self._processes.main(self._name)
        return Path(f"/proc/{pid}/root{self._processes.folder}/var")

    def fill(self) -> None:
        """Write until the disk is full."""
        with (self.folder / "fill").open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error

    def empty(self) -> None:
        """Free the space."""
        (self.folder / "fill").unlink()


def can_mount() -> bool:
    """Return whether this machine lets a process mount a disk that only it sees."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False

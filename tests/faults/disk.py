"""A small disk over `var/`, in a mount namespace of its own, that can be filled."""

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import helpers
from tests.faults.bench import Bench, LeftOut
from tests.faults.task_table import TaskTable

SIZE = "8m"
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'


QUERY = """
import contextlib, json, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1], timeout=20)) as connection:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""


class TableOnDisk(TaskTable):
    """The outbox on that disk: SQLite opens it from within, for it resolves /proc/PID/root."""

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench.table.url, bench.table.file)
        self._stack = bench.stack
        self._name = name

    def rows(self, statement: str) -> list[Any]:
        """Return what a query finds."""
        pid = self._stack.terminals[self._name].process.pid
        enter = ("nsenter", "--preserve-credentials", "--user", "--mount", f"--target={pid}")
        command = [*enter, sys.executable, "-c", QUERY, str(self.file), statement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        rows: list[Any] = json.loads(done.stdout)
        return rows


class SmallDisk:
    """What the process of a terminal sees at `var/`; nobody else sees it."""

    def __init__(self, bench: Bench, name: str) -> None:
        if not helpers.can_unshare():
            raise LeftOut("this container may not mount a disk")
        self._stack = bench.stack
        self._name = name
        self._stack.wrapper = ["unshare", "-Urm", "sh", "-ec", MOUNT, SIZE, "var"]

    @property
    def folder(self) -> Path:
        """The way to it from outside the namespace."""
        pid = self._stack.terminals[self._name].process.pid
        return Path(f"/proc/{pid}/root{self._stack.project}/var")

    def fill(self) -> None:
        """Write until there is no room."""
        with (self.folder / "fill").open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "fill").unlink()

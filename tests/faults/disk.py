"""A small disk over `var/`, in a mount namespace of its own, that can be filled."""

import errno
from pathlib import Path

from tests import helpers
from tests.faults.bench import Bench, LeftOut

SIZE = "8m"
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'


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

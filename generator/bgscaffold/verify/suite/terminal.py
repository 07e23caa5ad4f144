"""A command as a user runs it, in the foreground of a terminal."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Self
from uuid import uuid4


class Terminal:
    """A terminal with one command in its foreground, as a context manager."""

    def __init__(self, *command: str, cwd: Path, env: Mapping[str, str]) -> None:
        self._mark = f"TERMINAL={uuid4().hex}"
        self._output = bytearray()
        self._keyboard, screen = os.openpty()
        self.process = subprocess.Popen(
            # In a session with this terminal, Ctrl-C is a signal to all its processes.
            ["setsid", "--ctty", *command],
            cwd=cwd,
            env={**env, "TERMINAL": self._mark.removeprefix("TERMINAL=")},
            stdin=screen,
            stdout=screen,
            stderr=screen,
        )
        os.close(screen)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while running := self.processes():
            for pid in running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(timeout=5)
        os.close(self._keyboard)

    def _read(self) -> None:
        with suppress(OSError):  # the last process has closed its side
            while block := os.read(self._keyboard, 65536):
                self._output += block

    @property
    def screen(self) -> str:
        """What has been printed so far, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self._output.decode(errors="replace"))

    def type(self, keys: str) -> None:
        """Press keys, one after another."""
        os.write(self._keyboard, keys.encode())

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C, once."""
        self.type("\x03")

    def processes(self) -> dict[int, str]:
        """Return the processes that the command has started, with their command lines."""
        return {pid: line for pid in _pids() if (line := self._own(pid))}

    def _own(self, pid: int) -> str:
        """Return the command line of a process of this terminal, '' of any other."""
        folder = Path("/proc", str(pid))
        with suppress(OSError):
            if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                line = (folder / "cmdline").read_bytes()
                return line.replace(b"\0", b" ").decode().strip()
        return ""


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]

"""A command as a user runs it: in the foreground of a terminal, and ended with Ctrl-C."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx2

PATIENCE = 60.0  # seconds; only a failing test waits that long
T = TypeVar("T")


def until(condition: Callable[[], T], what: Callable[[], str], patience: float = PATIENCE) -> T:
    """Return the condition's first true value."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what()}")
        time.sleep(0.02)
    return value


class Terminal:
    """A terminal with one command in its foreground, as a context manager."""

    def __init__(self, *command: str, cwd: Path, env: Mapping[str, str]) -> None:
        self._mark = f"TERMINAL={uuid4().hex}"
        self._output = bytearray()
        self._keyboard, screen = os.openpty()
        self.process = subprocess.Popen(
            # A session of its own, and this its terminal: so Ctrl-C becomes a signal to them all.
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
        while left := self.processes():
            for pid in left:
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
        """Return every process that the command has started and that still lives."""
        return {pid: line for pid in _pids() if (line := self._own(pid))}

    def _own(self, pid: int) -> str:
        """Return the command line of a process of this terminal, '' of any other."""
        folder = Path("/proc", str(pid))
        with suppress(OSError):
            if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        return ""


class Dev(Terminal):
    """`uv run poe dev` in a project, once it serves."""

    def __init__(self, *command: str, cwd: Path, env: Mapping[str, str]) -> None:
        # Port 0 is one that is free, found without a race. The API prints which.
        super().__init__(*command, cwd=cwd, env={**env, "UVICORN_PORT": "0"})
        self.folder = cwd
        self._client = httpx2.Client(timeout=PATIENCE, trust_env=False)

    def __enter__(self) -> Self:
        try:
            self.follow(starts=1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()
        super().__exit__(*error)

    def follow(self, starts: int) -> None:
        """Wait until the API has started so many times, and talk to the last one."""
        self._client.base_url = until(
            lambda: self._served(starts), lambda: f"start {starts} of the API:\n{self.screen}"
        )

    def _served(self, starts: int) -> str:
        assert self.process.poll() is None, f"it has ended:\n{self.screen}"
        found = re.findall(r"running on (http://127\.0\.0\.1:\d+)", self.screen)
        return found[starts - 1] if len(found) >= starts else ""

    def text(self, path: str) -> str:
        """Return what the API answers, as text."""
        return self._client.get(path).text

    @property
    def url(self) -> str:
        """Where the API answers."""
        return str(self._client.base_url).rstrip("/")

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return what the API answers, as JSON."""
        return self._client.get(path, params=parameters).json()

    def post(self, path: str, **body: str) -> str:
        """Send a request that enqueues a task, and return its task_id."""
        answer = self._client.post(path, json=body)
        assert answer.status_code == 202, f"{answer.text}\n{self.screen}"
        task_id: str = answer.json()["task_id"]
        return task_id

    def upload(self, name: str, content: bytes) -> str:
        """Upload a document, and return its id."""
        answer = self._client.post("/documents", files={"file": (name, content)})
        assert answer.status_code == 202, f"{answer.text}\n{self.screen}"
        document_id: str = answer.json()["document_id"]
        return document_id

    def read(self, path: str, complete: Callable[[str], bool] = bool) -> str:
        """Return what a task has written to a file, as soon as it is complete."""

        def written() -> str:
            files = [file.read_text(encoding="utf-8") for file in self.folder.glob(path)]
            return files[0] if files and complete(files[0]) else ""

        return until(written, lambda: f"{path}:\n{self.screen}")

    def wait_until_succeeded(self, task_id: str) -> None:
        """Wait until the status of a task run says so."""
        address = f"/tasks/{task_id}"
        until(
            lambda: self.get(address)["state"] == "succeeded",
            lambda: f"success: {self.get(address)}\n{self.screen}",
        )


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]

"""The processes of one rendered project, each in a terminal of its own, as its docs start them."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx2
import uv

from tests.projects.terminal import Terminal, until

# What a process calls itself, and what it prints as soon as it works.
PROGRAMS = {
    "api": ("uvicorn app.main:app", "Uvicorn running on"),
    "worker": ("celery --app app.background.worker worker", " ready."),
    "dev": ("uvicorn app.main:app", "Uvicorn running on"),
}
LONGEST_START = 60.0


class Stack:
    """Starts, kills and restarts `uv run poe api`, `uv run poe worker` and `uv run poe dev`.

    A name is a verb or, for a second process of its kind, a verb and a number: `worker-2`.
    """

    def __init__(self, project: Path, env: Mapping[str, str], ports: Mapping[str, int]) -> None:
        self.project = project
        self.env = dict(env)
        self.ports = ports
        self.wrapper: list[str] = []
        self.terminals: dict[str, Terminal] = {}
        self._left: list[Terminal] = []

    def start(self, *names: str) -> None:
        """Start these, and wait until each works."""
        for name in names:
            self.begin(name)
        for name in names:
            self.wait(name)

    def begin(self, name: str) -> None:
        """Start one, and do not wait."""
        if name in self.terminals:
            self._left.append(self.terminals[name])  # orphans of a killed process may live on
        command = [*self.wrapper, uv.find_uv_bin(), "run", "poe", _verb(name)]
        port = {"UVICORN_PORT": str(self.ports.get(name, 0))}
        self.terminals[name] = Terminal(*command, cwd=self.project, env=self.env | port)

    def wait(self, name: str) -> None:
        """Wait until one works."""
        terminal = self.terminals[name]
        ready = PROGRAMS[_verb(name)][1]

        def works() -> bool:
            assert terminal.process.poll() is None, f"{name} has ended:\n{terminal.screen}"
            return ready in terminal.screen

        until(works, lambda: f"{name}:\n{terminal.screen[-2000:]}", LONGEST_START)

    def main(self, name: str) -> int:
        """Return the process that matters: not uv, not poe, not a child of the pool."""
        [main] = self._family(name)[0]
        return main

    def children(self, name: str) -> list[int]:
        """Return the processes of a worker's pool."""
        return self._family(name)[1]

    def _family(self, name: str) -> tuple[list[int], list[int]]:
        program = PROGRAMS[_verb(name)][0]
        found = self.terminals[name].processes()
        pids = [pid for pid, line in found.items() if program in line and "/uv " not in line]
        children = [pid for pid in pids if _parent(pid) in pids]
        return [pid for pid in pids if pid not in children], children

    def kill(self, name: str) -> None:
        """Send SIGKILL to the main process alone, and wait until its command has ended."""
        os.kill(self.main(name), signal.SIGKILL)
        self.wait_ended(name)

    def terminate(self, name: str) -> None:
        """Send SIGTERM to the main process, and wait until it has ended."""
        self.request_end(name)
        self.wait_ended(name)

    def request_end(self, name: str) -> None:
        """Send SIGTERM to the main process."""
        os.kill(self.main(name), signal.SIGTERM)

    def kill_child(self, name: str, index: int) -> None:
        """Send SIGKILL to one process of a worker's pool."""
        children = until(lambda: self.children(name), lambda: "the pool", LONGEST_START)
        with suppress(ProcessLookupError):
            os.kill(children[index % len(children)], signal.SIGKILL)

    def kill_group(self, name: str) -> None:
        """Send SIGKILL to everything that this command has started, as a power cut does."""
        self.terminals.pop(name).__exit__()

    def wait_ended(self, name: str) -> None:
        """Wait until a command has ended."""
        terminal = self.terminals[name]
        until(lambda: terminal.process.poll() is not None, lambda: f"the end of {name}")

    def ended(self, name: str) -> bool:
        """Tell whether a command has ended."""
        return self.terminals[name].process.poll() is not None

    def url(self, name: str = "api") -> str:
        """Return the address of an API."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def post(self, path: str) -> httpx2.Response:
        """Send one request."""
        return httpx2.post(f"{self.url()}{path}", timeout=60, trust_env=False)

    def run(self, *command: str) -> None:
        """Run a command of the project to its end."""
        line = [uv.find_uv_bin(), "run", *command]
        done = subprocess.run(
            line, cwd=self.project, env=self.env, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def said(self) -> str:
        """Return the end of what each process has printed."""
        return "\n".join(f"--- {n}:\n{t.screen[-3000:]}" for n, t in self.terminals.items())

    def close(self) -> None:
        """End everything."""
        for terminal in [*self.terminals.values(), *self._left]:
            terminal.__exit__()
        self.terminals.clear()
        self._left.clear()


def _verb(name: str) -> str:
    return name.split("-")[0]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0

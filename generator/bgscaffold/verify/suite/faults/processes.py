"""The processes of one copy of the project, each in a terminal of its own."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx2

from bgscaffold.verify.suite.project import VerifiedProject
from bgscaffold.verify.suite.terminal import Terminal
from bgscaffold.verify.suite.waiting import until

# What a process prints when it works.
READY = {
    "api": "Uvicorn running on",
    "worker": " ready.",
    "dev": "Uvicorn running on",
}
LONGEST_START = 60.0


class Processes:
    """Starts, kills and restarts the API, the worker and `poe dev` of a project.

    A second process of a kind has a number in its name: `worker-2`.
    """

    def __init__(
        self,
        project: VerifiedProject,
        folder: Path,
        env: Mapping[str, str],
        ports: Mapping[str, int],
    ) -> None:
        self.project = project
        self.folder = folder
        self.env = dict(env)
        self.ports = ports
        self.wrapper: list[str] = []
        self.terminals: dict[str, Terminal] = {}
        self._ended: list[Terminal] = []

    def start(self, *names: str) -> None:
        """Start these, and wait until each works."""
        for name in names:
            self.begin(name)
        for name in names:
            self.wait(name)

    def begin(self, name: str) -> None:
        """Start one, and do not wait."""
        if name in self.terminals:  # children of a killed process may be alive
            self._ended.append(self.terminals[name])
        command = [*self.wrapper, *self.project.command(_kind(name))]
        port = {"UVICORN_PORT": str(self.ports.get(name, 0))}
        self.terminals[name] = Terminal(*command, cwd=self.folder, env=self.env | port)

    def wait(self, name: str) -> None:
        """Wait until one works."""
        terminal = self.terminals[name]

        def works() -> bool:
            ended = terminal.process.poll() is not None
            assert not ended, f"{name} has ended:\n{terminal.screen}"
            return READY[_kind(name)] in terminal.screen

        until(works, lambda: f"{name}:\n{terminal.screen[-2000:]}", LONGEST_START)

    def main(self, name: str) -> int:
        """Return the main process of a command."""
        return self.terminals[name].process.pid

    def children(self, name: str) -> list[int]:
        """Return the processes of a worker's pool."""
        main, found = self.main(name), self.terminals[name].processes()
        return [pid for pid in found if _parent(pid) == main and "celery" in found[pid]]

    def kill(self, name: str) -> None:
        """Send SIGKILL to the main process alone, and wait until it has ended."""
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
        """Send SIGKILL to all that a command has started, as a power cut does."""
        self.terminals.pop(name).__exit__()

    def wait_ended(self, name: str) -> None:
        """Wait until a command has ended."""
        until(lambda: self.has_ended(name), lambda: f"the end of {name}")

    def has_ended(self, name: str) -> bool:
        """Return whether a command has ended."""
        return self.terminals[name].process.poll() is not None

    def url(self, name: str = "api") -> str:
        """Return the address of an API."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def post(self, path: str) -> httpx2.Response:
        """Send one request."""
        return httpx2.post(f"{self.url()}{path}", timeout=60, trust_env=False)

    def run(self, *command: str) -> None:
        """Run a module with the project's Python to its end."""
        line = [str(self.project.python), "-m", *command]
        done = subprocess.run(
            line, cwd=self.folder, env=self.env, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def printed(self) -> str:
        """Return the end of what each process has printed."""
        screens = {name: t.screen[-3000:] for name, t in self.terminals.items()}
        return "\n".join(f"--- {name}:\n{screen}" for name, screen in screens.items())

    def close(self) -> None:
        """End everything."""
        for terminal in [*self.terminals.values(), *self._ended]:
            terminal.__exit__()
        self.terminals.clear()
        self._ended.clear()


def _kind(name: str) -> str:
    return name.split("-")[0]


def _parent(pid: int) -> int:
    with suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_text()
        return int(status.rpartition(")")[2].split()[1])
    return 0

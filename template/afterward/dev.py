"""Starts all processes of a project in one terminal, and again when its code changes.

One Ctrl-C lets running tasks finish. Honcho and similar tools, and uvicorn's own reloader,
do not know workers, or kill what still runs some seconds after Ctrl-C.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread

COLOURS = {"api": 36, "worker": 33, "beat": 35}
KILL_AFTER = 40.0  # seconds, longer than SHUTDOWN_GRACE
CTRL_C, CHANGE = "Ctrl-C", "change"
WATCHED = "app"

Event = str | subprocess.Popen[str]  # CTRL_C, CHANGE, or a process that has ended
Processes = dict[str, subprocess.Popen[str]]


class DevServer:
    """The processes of the project, and what happens to them."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()

    def run(self) -> int:
        """Serve until Ctrl-C, and return an exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._events.put(CTRL_C))
        Thread(target=self._watch, daemon=True).start()
        with TemporaryDirectory(prefix="metrics-") as metrics:
            # Shared, so that the API shows the worker's metrics too.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
            return self._serve_until_ctrl_c()

    def _serve_until_ctrl_c(self) -> int:
        event = self._serve()
        while event == CHANGE:
            print(f"{WATCHED}/ has changed: restarting", flush=True)
            event = self._serve()
            if event not in (CHANGE, CTRL_C):
                print(f"Waiting for a change in {WATCHED}/.", flush=True)
                event = self._wait_for(CHANGE, CTRL_C)
        return int(event != CTRL_C)

    def _watch(self) -> None:
        from watchfiles import watch

        for _ in watch(WATCHED):
            self._events.put(CHANGE)

    def _wait_for(self, *awaited: Event) -> Event:
        """Return the first of these events. Processes of an earlier start are ignored."""
        while (event := self._events.get()) not in awaited:
            pass
        return event

    def _serve(self) -> Event:
        """Run all processes until something happens, end them, and return the event."""
        processes = {
            name: self._start(name, command)
            for name, command in read_commands(Path()).items()
        }
        event = self._wait_for(CHANGE, CTRL_C, *processes.values())
        for process in processes.values():
            process.terminate()
        last = self._wait_until_ended(processes, event)
        for process in processes.values():
            process.kill()
        for name, process in processes.items():
            if process is event:
                others = "; the others were stopped" if len(processes) > 1 else ""
                code = process.wait()
                print(f"{name} ended with exit code {code}{others}.", flush=True)
        return last

    def _wait_until_ended(self, processes: Processes, event: Event) -> Event:
        """Wait until all have ended. Return Ctrl-C if it was pressed, else the event.

        A second Ctrl-C ends the waiting.
        """
        deadline = time.monotonic() + KILL_AFTER
        while any(process.poll() is None for process in processes.values()):
            try:
                seconds = max(0.0, deadline - time.monotonic())
                new = self._events.get(timeout=seconds)
            except Empty:
                break
            if new == CTRL_C and event == CTRL_C:
                break
            if new == CTRL_C:
                event = new
        return event

    def _start(self, name: str, command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *shlex.split(command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # the terminal's Ctrl-C goes to this process only
        )
        Thread(target=self._show, args=(name, process), daemon=True).start()
        return process

    def _show(self, name: str, process: subprocess.Popen[str]) -> None:
        """Print each line of a process after its name."""
        prefix = f"{name:>6} |"
        if sys.stdout.isatty():
            prefix = f"\x1b[{COLOURS[name]}m{prefix}\x1b[0m"
        assert process.stdout
        for line in process.stdout:
            print(f"{prefix} {line}", end="", flush=True)
        process.wait()
        self._events.put(process)


def read_commands(project: Path) -> dict[str, str]:
    """Return the commands of the processes that pyproject.toml declares."""
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    tasks = tomllib.loads(text)["tool"]["poe"]["tasks"]
    return {
        name: tasks[name]["cmd"].removeprefix("python -m ")
        for name in COLOURS
        if name in tasks
    }


def main() -> int:
    """Serve until Ctrl-C, and return an exit code."""
    return DevServer().run()

"""Starts all that the project needs in one terminal, as `uv run poe dev`, and again when app/ changes.

One Ctrl-C lets running tasks finish. Honcho and its like, and uvicorn's own reloader, know nothing of
workers, or kill what still runs some seconds after Ctrl-C; tasks here have SHUTDOWN_GRACE.
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

from watchfiles import watch

COLOURS = {"api": 36, "worker": 33, "beat": 35}
PATIENCE = 40.0  # seconds, longer than SHUTDOWN_GRACE; then whoever is left is killed
CTRL_C, CHANGE = "Ctrl-C", "change"

Event = str | subprocess.Popen[str]  # one of these two, or a process that has ended
Processes = dict[str, subprocess.Popen[str]]
events: SimpleQueue[Event] = SimpleQueue()


def main() -> int:
    """Serve until the user has had enough, or something cannot start, and return an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: events.put(CTRL_C))
    Thread(target=watch_code, daemon=True).start()
    with TemporaryDirectory(prefix="metrics-") as metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics  # shared: the API shows the worker's, too
        ended = serve()
        while ended == CHANGE:
            print("app/ has changed: starting again", flush=True)
            ended = serve()
            if ended not in (CHANGE, CTRL_C):
                print("Waiting for a change in app/.", flush=True)
                ended = next_of(CHANGE, CTRL_C)
    return int(ended != CTRL_C)


def watch_code() -> None:
    """Tell of each change of a file in app/."""
    for _ in watch("app"):
        events.put(CHANGE)


def next_of(*awaited: Event) -> Event:
    """Return the first of these events. A process of an earlier start may tell late of its end."""
    while (event := events.get()) not in awaited:
        pass
    return event


def serve() -> Event:
    """Run all processes until something happens, end them, and return what has happened."""
    processes = {name: start(name, command) for name, command in commands().items()}
    happened = next_of(CHANGE, CTRL_C, *processes.values())
    for process in processes.values():
        process.terminate()
    last = let_finish(processes, happened)
    for process in processes.values():
        process.kill()
    for name in (name for name, process in processes.items() if process is happened):
        others = "; the others were stopped" if len(processes) > 1 else ""
        print(f"{name} ended by itself, with {processes[name].wait()}{others}.", flush=True)
    return last


def let_finish(processes: Processes, happened: Event) -> Event:
    """Wait until all have ended, and return what has happened: Ctrl-C, if it was pressed meanwhile.

    Another Ctrl-C ends the waiting.
    """
    deadline = time.monotonic() + PATIENCE
    while any(process.poll() is None for process in processes.values()):
        try:
            event = events.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        if event == CTRL_C == happened:
            break
        if event == CTRL_C:
            happened = event
    return happened


def commands() -> dict[str, str]:
    """Return the commands of those verbs that this project has."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    verbs = project["tool"]["poe"]["tasks"]
    return {name: verbs[name]["cmd"] for name in COLOURS if name in verbs}


def start(name: str, command: str) -> subprocess.Popen[str]:
    """Start a process, and show what it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,  # the terminal's Ctrl-C is for us, who pass it on, once
    )
    Thread(target=show, args=(name, process), daemon=True).start()
    return process


def show(name: str, process: subprocess.Popen[str]) -> None:
    """Print each line of a process after its name, and tell when it has ended."""
    prefix = f"{name:>6} |"
    if sys.stdout.isatty():
        prefix = f"\x1b[{COLOURS[name]}m{prefix}\x1b[0m"
    assert process.stdout
    for line in process.stdout:
        print(f"{prefix} {line}", end="", flush=True)
    process.wait()
    events.put(process)


if __name__ == "__main__":
    sys.exit(main())

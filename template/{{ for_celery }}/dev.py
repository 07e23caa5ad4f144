"""Starts API, worker and beat in one terminal, as `uv run poe dev`. One Ctrl-C lets them finish.

Honcho and its like kill what still runs some seconds after Ctrl-C; tasks here have SHUTDOWN_GRACE.
"""

import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

COLOURS = {"api": 36, "worker": 33, "beat": 35}
PATIENCE = 40.0  # seconds, longer than SHUTDOWN_GRACE; then whoever is left is killed
TOGETHER = 1.0  # seconds; a terminal and what stands between may both pass on one Ctrl-C

Processes = dict[str, subprocess.Popen[str]]
events: SimpleQueue[str] = SimpleQueue()  # "Ctrl-C", or the name of a process that has ended


def main() -> int:
    """Run them until one ends or the user has had enough, and return an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: events.put("Ctrl-C"))
    processes = {name: start(name) for name in COLOURS}
    ended = events.get()
    for process in processes.values():
        process.terminate()  # the terminal's Ctrl-C has reached them too, which does no harm
    let_finish(processes)
    for process in processes.values():
        process.kill()
    if ended in processes:
        print(f"{ended} ended by itself, with {processes[ended].wait()}; the others were stopped.")
    return int(ended in processes)


def let_finish(processes: Processes) -> None:
    """Wait until all have ended; not so long after another Ctrl-C."""
    begun = time.monotonic()
    while any(process.poll() is None for process in processes.values()):
        try:
            event = events.get(timeout=max(0.0, begun + PATIENCE - time.monotonic()))
        except Empty:
            return
        if event == "Ctrl-C" and time.monotonic() - begun > TOGETHER:
            return


def start(name: str) -> subprocess.Popen[str]:
    """Start the verb of this name, and show what it prints."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    command = shlex.split(project["tool"]["poe"]["tasks"][name]["cmd"])
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
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
        print(prefix, line, end="", flush=True)
    process.wait()
    events.put(name)


if __name__ == "__main__":
    sys.exit(main())

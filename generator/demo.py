"""The README's first command: make a Celery project, start it, show a finished task.

It needs no server: the outbox and the broker are SQLite files in `var/demo`.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError
from urllib.request import Request, urlopen

FOLDER = Path("var/demo")
PROJECT = FOLDER / "myapp"
UV = os.environ.get("UV") or shutil.which("uv") or "uv"
TIMEOUT = 180.0  # seconds: the first installation may use a slow connection
BODY = {"email": "ada@example.com"}
OWN_VARIABLES = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
T = TypeVar("T")


def main() -> None:
    """Generate a project, start it, send a request, and show its task."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    new = ["-m", "bgscaffold", "new", str(PROJECT), "--with-celery", "--no-git"]
    run([sys.executable, *new])
    run([UV, "sync", "--quiet"], PROJECT)
    port = free_port()
    api = f"http://localhost:{port}"
    with started([UV, "run", "--quiet", "poe", "dev"], port):
        wait_for(lambda: get(f"{api}/health/live"))
        status = f"{api}/tasks/{sign_up(api)}"
        show(["curl", status])
        print(wait_for(lambda: finished_task(status)))
    print(f"\nThe project is in {PROJECT}. Start it there with: {UV} run poe dev")


def sign_up(api: str) -> str:
    """Send the request whose task sends a mail. Return the task_id."""
    header, body = "Content-Type: application/json", json.dumps(BODY)
    show(["curl", f"{api}/signup", "-H", header, "-d", body])
    headers = {"Content-Type": "application/json"}
    response = get(Request(f"{api}/signup", body.encode(), headers))
    print(response)
    task_id: str = json.loads(response)["task_id"]
    return task_id


def finished_task(url: str) -> str:
    """Return the status of a task run, or nothing if it has not succeeded yet."""
    response = get(url)
    return response if json.loads(response)["state"] == "succeeded" else ""


@contextmanager
def started(command: list[str], port: int) -> Iterator[None]:
    """Run a command in the project during the block, then end it as Ctrl-C does."""
    show([f"UVICORN_PORT={port}", *command])
    log = FOLDER / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment() | {"UVICORN_PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    except TimeoutError as error:
        sys.exit(f"{error} See {log}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait()


def run(command: list[str], folder: Path | None = None) -> None:
    """Show a command, and run it to its end."""
    show(command)
    done = subprocess.run(command, cwd=folder, env=environment(), check=False)
    if done.returncode:
        sys.exit(done.returncode)


def show(command: list[str]) -> None:
    """Print a command as a user types it."""
    programs = (sys.executable, UV)
    words = [Path(word).name if word in programs else word for word in command]
    print(f"\n$ {shlex.join(words)}", flush=True)


def get(request: str | Request) -> str:
    """Return the body of a response."""
    with urlopen(request, timeout=10) as response:
        body: bytes = response.read()
    return body.decode()


def wait_for(attempt: Callable[[], T]) -> T:
    """Return the first true result of an attempt.

    Raises:
        TimeoutError: There was none in time.
    """
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with suppress(URLError, ConnectionError):
            if result := attempt():
                return result
        time.sleep(0.1)
    raise TimeoutError(f"No response within {TIMEOUT:.0f} s.")


def environment() -> dict[str, str]:
    """Return the variables without those of this process's own environment."""
    return {k: v for k, v in os.environ.items() if k not in OWN_VARIABLES}


def free_port() -> int:
    """Return a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()

"""The first command of the README: create a Celery project and see a task finish.

Everything runs on this machine without a server: the outbox and the broker are SQLite
files under `var/demo`.
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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

FOLDER = Path("var/demo")
PROJECT = FOLDER / "myapp"
UV = os.environ.get("UV") or shutil.which("uv") or "uv"
PATIENCE = 180.0  # seconds, for a first install over a slow line


def main() -> None:
    """Generate, start, ask, show, stop."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    run(
        [
            sys.executable,
            "-m",
            "bgscaffold",
            "new",
            str(PROJECT),
            "--with-celery",
            "--no-git",
        ]
    )
    run([UV, "sync", "--quiet"], PROJECT)
    port = free_port()
    with started([UV, "run", "--quiet", "poe", "dev"], port):
        wait_for(lambda: get(f"http://localhost:{port}/health/live"))
        accepted = sign_up(port)
        task = f"http://localhost:{port}/tasks/{accepted['task_id']}"
        show(["curl", task])
        print(wait_for(lambda: finished(task)))
    print(
        f"\nThe project is in {PROJECT}. Go there, and start it with: {UV} run poe dev"
    )


def sign_up(port: int) -> dict[str, Any]:
    """Send the request whose task sends a welcome mail, and return the answer."""
    url, body = (
        f"http://localhost:{port}/signup",
        json.dumps({"email": "ada@example.com"}),
    )
    header = "Content-Type: application/json"
    show(["curl", "-X", "POST", url, "-H", header, "-d", body])
    answer = get(Request(url, body.encode(), dict([header.split(": ")])))
    print(answer)
    accepted: dict[str, Any] = json.loads(answer)
    return accepted


def finished(url: str) -> str | None:
    """Return the status of a task run once it has succeeded."""
    answer = get(url)
    return answer if json.loads(answer)["state"] == "succeeded" else None


@contextmanager
def started(command: list[str], port: int) -> Iterator[None]:
    """Run a command in the project while the block runs, then send it Ctrl-C."""
    show([f"UVICORN_PORT={port}", *command])
    env = environment() | {"UVICORN_PORT": str(port)}
    log = (FOLDER / "dev.log").open("wb")
    process = subprocess.Popen(
        command, cwd=PROJECT, env=env, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield
    except TimeoutError as error:
        sys.exit(f"{error} See {log.name}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait()
        log.close()


def run(command: list[str], folder: Path | None = None) -> None:
    """Show a command and run it to its end."""
    show(command)
    if code := subprocess.run(
        command, cwd=folder, env=environment(), check=False
    ).returncode:
        sys.exit(code)


def show(command: list[str]) -> None:
    """Print a command as a person would type it."""
    words = [
        Path(word).name if word in (sys.executable, UV) else word for word in command
    ]
    print(f"\n$ {shlex.join(words)}", flush=True)


def get(request: str | Request) -> str:
    """Return the body of an answer."""
    with urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
    return body.decode()


def wait_for(attempt: Any) -> Any:
    """Return the first result of an attempt."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(URLError, ConnectionError):
            if result := attempt():
                return result
        time.sleep(0.1)
    raise TimeoutError(f"No answer within {PATIENCE:.0f} s.")


def environment() -> dict[str, str]:
    """Return this environment without the traces of the one we run in."""
    return {
        k: v
        for k, v in os.environ.items()
        if k not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    }


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()

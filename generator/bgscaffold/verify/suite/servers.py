"""Private Redis, RabbitMQ and PostgreSQL servers that can be stopped and restarted.

They use this machine's programs, free ports, and a folder of their own.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from random import randrange

from bgscaffold.verify.suite.waiting import until

# Debian keeps these away from PATH. Its rabbitmq-server on PATH changes the user.
POSTGRES = sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
)
FOLDERS = [
    *map(str, reversed(POSTGRES)),
    "/usr/lib/rabbitmq/bin",
    *os.get_exec_path(),
]


class ProgramsMissingError(Exception):
    """This machine lacks the programs of a server."""


class Server(ABC):
    """A server of which one instance runs at a time, or none."""

    url: str
    keeps_data = True  # over a restart
    ready: str  # what its log says when it is ready
    stop_signal = signal.SIGTERM
    user: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = Path()
        self._running: AbstractContextManager[Path] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that starts it."""

    def env(self) -> dict[str, str]:
        """Return the variables that it needs."""
        return {}

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._running is None:
            self._running = running(
                self.command(),
                self.folder,
                env=self.env(),
                user=self.user,
                stop_signal=self.stop_signal,
            )
            self.log = self._running.__enter__()
            wait_for_text(self.ready, self.log)

    def stop(self) -> None:
        """Stop it in an orderly way, if it runs."""
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def close(self) -> None:
        """Stop it for good."""
        self.stop()

    def wipe(self) -> bool:
        """Delete all messages if it can, and return whether it did."""
        return False


class Redis(Server):
    """A Redis."""

    ready = "Ready to accept connections"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command that starts it."""
        [server] = programs("redis-server")
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "")
        keep = ("--appendonly", "yes", "--appendfsync", "always")
        forget = ("--appendonly", "no")
        kept = keep if self.keeps_data else forget
        return [server, *options, "--loglevel", "verbose", *kept]

    def wipe(self) -> bool:
        """Delete everything."""
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            return connection.recv(100).startswith(b"+OK")


class Rabbitmq(Server):
    """A RabbitMQ with an Erlang port mapper of its own."""

    ready = "Server startup complete"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._mapper_port, self._distribution_port = free_port(), free_port()
        (folder / "plugins").write_text("[].\n")
        (folder / "empty").touch()
        [epmd] = programs("epmd")
        command = [epmd, "-address", "127.0.0.1", "-port", str(self._mapper_port)]
        self._mapper = running(command, folder)
        self._mapper.__enter__()

    def command(self) -> list[str]:
        """Return the command that starts it."""
        return programs("rabbitmq-server")

    def env(self) -> dict[str, str]:
        """Return the paths of all that it writes."""
        return {
            "HOME": str(self.folder),  # of the cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "empty"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "empty"),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_NODENAME": f"{self.folder.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }

    def stop(self) -> None:
        """Stop it, and delete its data unless it keeps them."""
        super().stop()
        if not self.keeps_data:
            shutil.rmtree(self.folder / "mnesia", ignore_errors=True)

    def close(self) -> None:
        """Stop it and its port mapper for good."""
        super().stop()
        self._mapper.__exit__(None, None, None)


class Postgres(Server):
    """A PostgreSQL. It refuses to run as root, so it then runs as another user."""

    ready = "ready to accept connections"
    stop_signal = signal.SIGINT  # at SIGTERM it would wait until clients disconnect
    programs_folder = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"postgresql+psycopg://test@127.0.0.1:{self.port}/postgres"
        self.user = unprivileged_user()
        if self.user:
            shutil.chown(folder, self.user)
        options = ("--auth=trust", "--username=test", "--no-sync", "--encoding=UTF8")
        subprocess.run(
            [self._program("initdb"), *options, str(folder / "data")],
            cwd="/",
            user=self.user,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def command(self) -> list[str]:
        """Return the command that starts it."""
        settings = [
            f"port={self.port}",
            f"unix_socket_directories={self.folder}",
            "listen_addresses=127.0.0.1",
            "log_connections=on",
            "fsync=off",
        ]
        options = [option for setting in settings for option in ("-c", setting)]
        return [self._program("postgres"), "-D", str(self.folder / "data"), *options]

    def _program(self, name: str) -> str:
        if self.programs_folder:
            return str(Path(self.programs_folder, name))
        [found] = programs(name)
        return found


def programs(*names: str) -> list[str]:
    """Return the paths of these programs.

    Raises:
        ProgramsMissingError: This machine lacks one of them.
    """
    if lacking := missing_programs(*names):
        raise ProgramsMissingError(", ".join(lacking))
    return [found for name in names if (found := find_program(name))]


def missing_programs(*names: str) -> list[str]:
    """Return which of these programs this machine lacks."""
    return [name for name in names if not find_program(name)]


def find_program(name: str) -> str | None:
    """Return the path of a program, if this machine has it."""
    return shutil.which(name, path=os.pathsep.join(FOLDERS))


@contextmanager
def running(
    command: list[str],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[Path]:
    """Run a server while the block lasts, and yield its log."""
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
        process.send_signal(stop_signal)
        try:
            process.wait(30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_text(text: str, log: Path) -> None:
    """Wait until a log contains this text."""

    def read() -> str:
        return log.read_text(errors="replace")

    until(lambda: text in read(), lambda: f"{text!r}:\n{read()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    # Below the ports of outgoing connections, which could take it in the meantime.
    while True:
        address = ("127.0.0.1", randrange(15_000, 32_000))
        with suppress(OSError), socket.create_server(address):
            return address[1]


def unprivileged_user() -> str | None:
    """Return the user that a server may run as when this process runs as root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"

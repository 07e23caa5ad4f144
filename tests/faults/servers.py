"""Redis, RabbitMQ and PostgreSQL that can be stopped in the middle and started again.

The port and the data stay. The programs, and how they are run, are those of tests/projects.
"""

import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg

from tests.projects import services


class Server(ABC):
    """A server of which one instance runs at a time, or none."""

    url: str
    keeps = True  # what it holds, over a restart
    ready: str
    end = signal.SIGTERM
    user: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = services.free_port()
        self._running: AbstractContextManager[Path] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return how it is started."""

    def env(self) -> dict[str, str]:
        """Return what it finds in its environment."""
        return {}

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._running is None:
            self._running = services.running(
                self.command(), self.folder, self.env(), self.user, self.end
            )
            services.wait_for(self.ready, self._running.__enter__())

    def stop(self) -> None:
        """Shut it down in an orderly way, if it runs."""
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def wipe(self) -> bool:
        """Forget everything, if it has a way to do so, and return whether it has."""
        return False


class Redis(Server):
    """A Redis that keeps what it holds, or nothing."""

    ready = "Ready to accept connections"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return how it is started."""
        [server] = services.programs("redis-server")
        keep = ("--appendonly", "yes", "--appendfsync", "always")
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "")
        return [server, *options, *(keep if self.keeps else ("--appendonly", "no"))]

    def wipe(self) -> bool:
        """Forget everything."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            return connection.recv(100).startswith(b"+OK")


class Rabbitmq(Server):
    """A RabbitMQ with an Erlang port mapper of its own."""

    ready = "Server startup complete"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._mapper, self._distribution = services.free_port(), services.free_port()
        (folder / "plugins").write_text("[].\n")
        (folder / "empty").touch()
        [epmd] = services.programs("epmd")
        mapping = [epmd, "-address", "127.0.0.1", "-port", str(self._mapper)]
        self._mapping = services.running(mapping, folder)
        self._mapping.__enter__()

    def command(self) -> list[str]:
        """Return how it is started."""
        return services.programs("rabbitmq-server")

    def env(self) -> dict[str, str]:
        """Return where it keeps everything."""
        return {
            "HOME": str(self.folder),  # the cookie lies there
            "ERL_EPMD_PORT": str(self._mapper),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "empty"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "empty"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_NODENAME": f"{self.folder.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }

    def stop(self) -> None:
        """Shut it down, and forget everything unless it keeps it."""
        super().stop()
        if not self.keeps:
            shutil.rmtree(self.folder / "mnesia", ignore_errors=True)

    def close(self) -> None:
        """Shut it down, and its port mapper too."""
        super().stop()
        self._mapping.__exit__(None, None, None)


class Postgres(Server):
    """A PostgreSQL, which refuses to run as root."""

    ready = "ready to accept connections"
    end = signal.SIGINT  # its fast shutdown

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.user = services.unprivileged()
        if self.user:
            shutil.chown(folder, self.user)
        [initdb] = services.programs("initdb")
        options = ("--auth=trust", "--username=test", "--no-sync", "--encoding=UTF8")
        command = [initdb, *options, str(folder / "data")]
        subprocess.run(command, cwd="/", user=self.user, stdout=subprocess.DEVNULL, check=True)

    def command(self) -> list[str]:
        """Return how it is started."""
        [server] = services.programs("postgres")
        settings = [f"port={self.port}", f"unix_socket_directories={self.folder}"]
        settings += ["listen_addresses=127.0.0.1", "fsync=off"]
        options = [option for setting in settings for option in ("-c", setting)]
        return [server, "-D", str(self.folder / "data"), *options]

    def create(self, name: str) -> str:
        """Create a database, and return its URL."""
        address = f"postgresql://test@127.0.0.1:{self.port}"
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{address.replace('://', '+psycopg://')}/{name}"

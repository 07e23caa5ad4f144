"""The versions that were measured."""

import platform
import sqlite3
import subprocess
from pathlib import Path

from tests.projects import services
from tests.projects.environments import Environment

PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "aiosqlite", "psycopg", "celery", "kombu")
SERVERS = {"redis-server": "--version", "postgres": "--version"}
ASK = "import sys, importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"


def versions(environment: Environment) -> str:
    """Return one line of names and versions."""
    python = Path(environment.variables["UV_PROJECT_ENVIRONMENT"], "bin", "python")
    packages = _said(str(python), "-c", ASK, *PACKAGES)
    servers = [_said(*services.programs(name), option) for name, option in SERVERS.items()]
    own = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return ", ".join([own, packages, *servers, _rabbitmq()])


def _rabbitmq() -> str:
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return found[-1].name if found else "no RabbitMQ"


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    return done.stdout.strip()

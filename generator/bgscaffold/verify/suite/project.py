"""The project that the suites run against."""

import json
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgscaffold.patterns import RECORDS, Pattern, PatternRecord
from bgscaffold.verify.suite.database import Database

SETUP = "BGSCAFFOLD_VERIFY_SETUP"  # the variable that leads from the command to a suite
REPORT = "BGSCAFFOLD_VERIFY_REPORT"  # names the file for a suite's report
DELETE_QUEUES = """\
import importlib, sys
app = importlib.import_module(sys.argv[1]).celery_app
with app.connection_for_write() as connection:
    for queue in sys.argv[2:]:
        connection.default_channel.queue_delete(queue)
"""
KEPT = ("PATH", "HOME", "LANG")  # of the shell, for the project's processes
EMBEDDED_BROKER = "sqla+sqlite:///var/broker.db"


class UnusableProjectError(Exception):
    """The project lacks something that the suite needs."""


@dataclass(frozen=True)
class VerifiedProject:
    """A clean copy of a project, its Python, and the servers that it may use."""

    source: Path
    python: Path
    pattern: Pattern
    database_server: str = ""  # empty: SQLite
    broker: str = ""  # empty: the embedded one
    has_schedule: bool = False  # the packages of scheduled tasks are installed
    mark: str = ""  # a variable of all processes, by which the command finds them

    @property
    def record(self) -> PatternRecord:
        """What the pattern promises and supports."""
        return RECORDS[self.pattern]

    @property
    def has_workers(self) -> bool:
        """Whether other processes than the API run the tasks: only they have queues."""
        return has_workers(self.record)

    @property
    def processes(self) -> tuple[str, ...]:
        """The processes that tasks need. The last one runs them."""
        return ("api", "worker") if self.has_workers else ("api",)

    @property
    def package(self) -> Path:
        """The application's package, `app` unless the user has renamed it.

        Raises:
            UnusableProjectError: No package has a background.py.
        """
        files = (
            *self.source.glob("*/background.py"),
            *self.source.glob("*/*/background.py"),
        )
        packages = {file.parent for file in files} - {self.source / "afterward"}
        if not packages:
            raise UnusableProjectError("no package has a background.py")
        return min(packages).relative_to(self.source)

    @property
    def capabilities(self) -> frozenset[str]:
        """The options that the pattern supports, and what else tests ask for."""
        found = {
            "durable": self.record.durable,
            "schedule": self.has_schedule,
            "workers": self.has_workers,
        }
        return self.record.supports | {
            name for name, is_there in found.items() if is_there
        }

    def copy_to(self, folder: Path, *domains: Path) -> None:
        """Copy the project, and add domain packages of the suite to it."""
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(self.source, folder, symlinks=True)
        for domain in domains:
            target = folder / self.package / domain.name
            shutil.copytree(domain, target, ignore=ignore)
        (folder / "var").mkdir(exist_ok=True)

    def command(self, name: str) -> list[str]:
        """Return the command of a process, as pyproject.toml declares it for poe.

        Raises:
            UnusableProjectError: pyproject.toml declares no such process.
        """
        declared = self._poe_tasks().get(name)
        line = declared if isinstance(declared, str) else (declared or {}).get("cmd")
        if not isinstance(line, str):
            raise UnusableProjectError(
                f"pyproject.toml has no command in [tool.poe.tasks.{name}]"
            )
        words = shlex.split(line.removeprefix("python -m "))
        return [str(self.python), "-m", *words]

    def celery(self, *arguments: str) -> list[str]:
        """Return a command of Celery for this application, without the Python."""
        return ["celery", "--app", f"{self.package.name}.background", *arguments]

    def environment(self, database: Database, queue: str) -> dict[str, str]:
        """Return the variables of the project's processes."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return kept | {
            "BGSCAFFOLD_VERIFY": self.mark,
            "BROKER_URL": self.broker or EMBEDDED_BROKER,
            "DATABASE_URL": database.url,
            "ENVIRONMENT": "development",
            "PYTHONUNBUFFERED": "1",
            # Scheduled tasks of the user do not run.
            "SCHEDULE_TASKS": "bgscaffold_schedule.tick",
            "TASK_QUEUE": queue,
        }

    def delete_queues(self, folder: Path, env: Mapping[str, str], *names: str) -> None:
        """Delete queues from the user's broker; an embedded one goes with the copy."""
        if not self.broker:
            return
        module = f"{self.package.name}.background"
        command = [str(self.python), "-c", DELETE_QUEUES, module, *names]
        path = {"PYTHONPATH": str(folder / self.package.parent)}
        subprocess.run(
            command, cwd=folder, env={**env, **path}, capture_output=True, check=False
        )

    def as_variable(self) -> dict[str, str]:
        """Return a variable from which `from_variable` makes the same project."""
        return {SETUP: json.dumps(vars(self), default=str)}

    def _poe_tasks(self) -> Mapping[str, Any]:
        text = (self.source / "pyproject.toml").read_text(encoding="utf-8")
        poe: Mapping[str, Any] = tomllib.loads(text).get("tool", {}).get("poe", {})
        tasks: Mapping[str, Any] = poe.get("tasks", {})
        return tasks


def from_variable() -> VerifiedProject:
    """Return the project that the command has passed on."""
    given = json.loads(os.environ[SETUP])
    return VerifiedProject(
        source=Path(given["source"]),
        python=Path(given["python"]),
        pattern=Pattern(given["pattern"]),
        database_server=given["database_server"],
        broker=given["broker"],
        has_schedule=given["has_schedule"],
        mark=given["mark"],
    )


def has_workers(record: PatternRecord) -> bool:
    """Return whether a pattern runs its tasks in other processes than the API."""
    return "queue" in record.supports

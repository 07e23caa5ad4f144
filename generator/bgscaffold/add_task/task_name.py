"""The name of a task to add, as a value that cannot be wrong."""

import builtins
import re
from dataclasses import dataclass
from keyword import iskeyword

from bgscaffold.add_task.errors import TaskNameError
from bgscaffold.project.spec import WINDOWS_DEVICES

PART = re.compile(r"\A[a-z][a-z0-9_]{0,29}\Z")
# The mechanism, the revisions, the first part of the URLs of task runs, and of Celery's own tasks.
RESERVED_DOMAINS = frozenset(["background", "migrations", "tasks", "celery"])
# What the generated code itself calls by these names.
RESERVED_FUNCTIONS = frozenset(
    [
        *(
            "app",
            "asyncio",
            "background_tasks",
            "caplog",
            "client",
            "enqueued",
            "item_id",
        ),
        *("logging", "pytest", "router", "server", "task", "task_id", "wait_for"),
    ]
)
# What pytest collects, calls or reads in the module of a test, which imports the function.
PYTEST_NAMES = re.compile(r"test|pytest|(?:setup|teardown)_(?:module|function)\Z")


@dataclass(frozen=True)
class TaskName:
    """A domain, and the function in it."""

    domain: str
    function: str

    @classmethod
    def of(cls, name: str) -> "TaskName":
        """Read DOMAIN.NAME."""
        parts = name.split(".")
        if len(parts) != 2:
            raise TaskNameError(name, "not two parts with a dot between them")
        for part in parts:
            if not PART.search(part) or iskeyword(part):
                raise TaskNameError(name, f"{part!r}")
        domain, function = parts
        if domain in RESERVED_DOMAINS:
            raise TaskNameError(name, f"{domain!r} is the mechanism's")
        if domain in WINDOWS_DEVICES:
            raise TaskNameError(name, f"{domain!r} is a device of Windows")
        if function in RESERVED_FUNCTIONS or hasattr(builtins, function):
            raise TaskNameError(name, f"{function!r} means something else already")
        if PYTEST_NAMES.match(function):
            raise TaskNameError(name, f"{function!r} means something to pytest")
        return cls(domain, function)

    def __str__(self) -> str:
        return f"{self.domain}.{self.function}"

    @property
    def module(self) -> str:
        """Return the module that the function stands in."""
        return f"app.{self.domain}.tasks"

    @property
    def slug(self) -> str:
        """Return the last part of its route."""
        return self.function.replace("_", "-")

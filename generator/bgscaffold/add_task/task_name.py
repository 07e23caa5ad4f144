"""The name of a new task."""

import builtins
import re
from dataclasses import dataclass
from keyword import iskeyword

from bgscaffold.add_task.errors import TaskNameError
from bgscaffold.project.spec import WINDOWS_DEVICES

PART = re.compile(r"[a-z][a-z0-9_]{0,29}")
# Not a domain package, or the names of tasks of the runtime and of Celery itself.
RESERVED_DOMAINS = frozenset(["migrations", "afterward", "celery"])
# Names that the generated code uses for something else.
RESERVED_FUNCTIONS = frozenset(
    [
        "background_tasks",
        "client",
        "enqueued",
        "item_id",
        "response",
        "router",
        "run_enqueued",
        "task",
        "task_id",
        "tasks",
    ]
)
# Names that pytest collects, calls or reads in a test module that imports the function.
PYTEST_NAMES = re.compile(r"test|pytest|(?:setup|teardown)_(?:module|function)\Z")


@dataclass(frozen=True)
class TaskName:
    """A domain, and the function in it."""

    domain: str
    function: str

    @classmethod
    def of(cls, name: str) -> "TaskName":
        """Parse DOMAIN.NAME."""
        domain, _, function = name.partition(".")
        for part in (domain, function):
            if reason := part_problem(part):
                raise TaskNameError(name, reason)
        if domain in RESERVED_DOMAINS or domain in WINDOWS_DEVICES:
            raise TaskNameError(name, f"the domain name {domain} is reserved")
        if is_reserved_function(function):
            raise TaskNameError(name, f"the function name {function} is reserved")
        return cls(domain, function)

    def __str__(self) -> str:
        return f"{self.domain}.{self.function}"

    @property
    def slug(self) -> str:
        """Return the last part of the path of its route."""
        return self.function.replace("_", "-")


def part_problem(part: str) -> str:
    """Return what is wrong with a part of a name, '' if it is valid."""
    if not PART.fullmatch(part):
        return f"{part!r} is not a valid part"
    return f"{part} is a keyword of Python" if iskeyword(part) else ""


def is_reserved_function(name: str) -> bool:
    """Return whether a function of this name means something else in generated code."""
    is_builtin = hasattr(builtins, name)
    return is_builtin or name in RESERVED_FUNCTIONS or bool(PYTEST_NAMES.match(name))

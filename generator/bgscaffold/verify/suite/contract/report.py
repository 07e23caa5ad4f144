"""How many tests of each suite have passed and failed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Suite:
    """The tests of one module."""

    passed: int = 0
    failed: int = 0
    seconds: float = 0
    failures: list[str] = field(default_factory=list)


class Report:
    """All suites, in the order in which they have run."""

    def __init__(self) -> None:
        self._suites: dict[str, Suite] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Count one phase of a test: its setup, the test itself, or its teardown."""
        file, _, test = report.nodeid.partition("::")
        name = Path(file).stem.removeprefix("test_").replace("_", " ")
        suite = self._suites.setdefault(name, Suite())
        suite.seconds += report.duration
        if report.failed:
            suite.failed += 1
            logs = [f"--- {title}\n{text}" for title, text in report.sections]
            suite.failures.append("\n".join([test, report.longreprtext, *logs]))
        elif report.when == "call":
            suite.passed += 1

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the suites for the command's report."""
        return [{"suite": name} | vars(suite) for name, suite in self._suites.items()]

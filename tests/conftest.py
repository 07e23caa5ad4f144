"""Fixtures for every suite."""

from collections import Counter
from pathlib import Path

import pytest

from tests import helpers


@pytest.fixture(scope="session")
def template_repo() -> Path:
    """Return the git repository that tests render from: the working tree's template, tagged."""
    return helpers.template_repo()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which tests were left out, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, count in Counter(report.longrepr[2] for report in skipped).items():
        tests = "1 test" if count == 1 else f"{count} tests"
        why = reason.removeprefix("Skipped: ")
        terminalreporter.write_line(f"left out: {tests}, {why}", yellow=True)

"""What `bgscaffold verify` prints."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from bgscaffold.verify.command import FaultResult, SuiteResult, VerifyReport

SHOWN_FAILURES = 5
MAX_FAILURE = 6_000  # characters


def report_text(report: VerifyReport) -> str:
    """Return the report as tables, followed by what has failed."""
    title = f"{report.project}, pattern {report.pattern}"
    parts = [title, suite_table(report.suites)]
    if report.faults:
        parts += [f"Faults, seed {report.seed}", fault_table(report.faults)]
    verdict = "Every promise is kept." if report.passed else "A promise is broken."
    return "\n\n".join([*parts, *failures(report), verdict])


def report_json(report: VerifyReport) -> str:
    """Return the report as one JSON object."""
    return json.dumps(asdict(report) | {"passed": report.passed}, indent=2)


def suite_table(suites: Sequence[SuiteResult]) -> str:
    """Return how many tests of each suite have passed and failed."""
    total = SuiteResult(
        suite="all",
        passed=sum(suite.passed for suite in suites),
        failed=sum(suite.failed for suite in suites),
        seconds=sum(suite.seconds for suite in suites),
        failures=[],
    )
    head = ("suite", "passed", "failed", "seconds")
    return table([head, *map(suite_row, [*suites, total])])


def suite_row(suite: SuiteResult) -> Sequence[object]:
    """Return the row of one suite."""
    return (
        suite.suite,
        suite.passed,
        suite.failed,
        f"{suite.seconds:.1f}",
    )


def fault_table(faults: Iterable[FaultResult]) -> str:
    """Return what was accepted, lost and doubled under each fault."""
    head = ("fault", "accepted", "lost", "doubled")
    return table([head, *map(fault_row, faults)])


def fault_row(fault: FaultResult) -> Sequence[object]:
    """Return the row of one fault."""
    if fault.left_out:
        return (f"{fault.fault} (left out: {fault.left_out})", "-", "-", "-")
    return (fault.fault, fault.accepted, fault.lost, fault.doubled)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows with a left-aligned first column and right-aligned numbers."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(table_line(row, widths) for row in texts)


def table_line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one row with its columns as wide as all others."""
    first, *numbers = (
        cell.rjust(width) for cell, width in zip(row, widths, strict=True)
    )
    return "  ".join([first.strip().ljust(widths[0]), *numbers])


def failures(report: VerifyReport) -> list[str]:
    """Return the first failures, each with its logs.

    A start that fails has the same text in each test, so that is shown once.
    """
    found: dict[str, str] = {}
    for suite in report.suites:
        for failure in suite.failures:
            test, _, text = failure.partition("\n")
            found.setdefault(text, f"FAILED {suite.suite}: {test}\n{text}")
    for fault in report.faults:
        if fault.failed:
            text = fault.trouble or "A task was lost or doubled."
            found[fault.fault] = f"FAILED {fault.fault}: {text}"
    shown = [text[:MAX_FAILURE] for text in found.values()]
    more = len(shown) - SHOWN_FAILURES
    return [*shown[:SHOWN_FAILURES], *([f"... and {more} more"] if more > 0 else [])]

"""What a check has found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check and, unless all is well, what to do."""

    state: str  # "ok", "warn" or "FAIL"
    check: str
    detail: str
    remedy: str = ""


def ok(check: str, detail: str) -> Finding:
    """Return that nothing is wrong."""
    return Finding(
        state="ok",
        check=check,
        detail=detail,
    )


def warn(check: str, detail: str, remedy: str) -> Finding:
    """Return something that you should know."""
    return Finding(
        state="warn",
        check=check,
        detail=detail,
        remedy=remedy,
    )


def fail(check: str, detail: str, remedy: str) -> Finding:
    """Return something that you must fix."""
    return Finding(
        state="FAIL",
        check=check,
        detail=detail,
        remedy=remedy,
    )


def has_failures(findings: list[Finding]) -> bool:
    """Return whether something must be fixed."""
    return any(finding.state == "FAIL" for finding in findings)

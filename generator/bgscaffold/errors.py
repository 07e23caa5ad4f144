"""The base class of every error that a command reports."""

from typing import ClassVar


class BgscaffoldError(Exception):
    """A command that is refused or fails, with what the user can do about it."""

    exit_code: ClassVar[int] = 1
    what: ClassVar[str]
    allowed: ClassVar[str] = ""
    remedy: ClassVar[str]

    def __init__(self, value: str, reason: str = "") -> None:
        super().__init__(value, reason)
        self.value = value
        self.reason = reason

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        advice = f"{self.allowed} {self.remedy}".strip()
        return f"{self.what}: {self.value!r}{reason}.\n{advice}"

    def as_dict(self) -> dict[str, str]:
        """Return the error for `--json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "value": self.value,
            "reason": self.reason,
            "allowed": self.allowed,
            "remedy": self.remedy,
        }

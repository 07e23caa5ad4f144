"""What bgscaffold refuses: one class each, saying what, the value, what is allowed, the remedy."""

from typing import ClassVar


class BgscaffoldError(Exception):
    """A request that is turned down, or work that could not be finished."""

    exit_code: ClassVar[int] = 1
    what: ClassVar[str]
    allowed: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, value: str, reason: str = "") -> None:
        super().__init__(value, reason)
        self.value = value
        self.reason = reason

    def __str__(self) -> str:
        because = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.what}: {self.value!r}{because}\n"
            f"  allowed: {self.allowed}\n"
            f"  remedy:  {self.remedy}"
        )

    def as_dict(self) -> dict[str, str]:
        """Return the same facts for `--json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "value": self.value,
            "reason": self.reason,
            "allowed": self.allowed,
            "remedy": self.remedy,
        }

"""The lease of a claimed row."""

import time
from dataclasses import dataclass, field


@dataclass
class Lease:
    """A lease ends after some seconds without a heartbeat."""

    seconds: float
    renewed: float = field(default_factory=time.monotonic)

    def is_over(self) -> bool:
        """Return whether another process may claim the row."""
        return time.monotonic() > self.renewed + self.seconds

"""The outcome of each fault, as a table in Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass

from bgscaffold.verify.suite.faults.registry import Combination, Fault

HEAD = "| fault | accepted | done | doubled | lost | injected | s to recover |"
RULE = "|---|--:|--:|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Row:
    """The outcome of one fault on one combination."""

    on: Combination
    fault: Fault
    accepted: int = 0
    doubled: int = 0
    lost: int = 0
    injected: int = 0
    recovered: float = 0
    trouble: str = ""
    left_out: str = ""
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.lost or self.trouble or (self.doubled and self.fault.once))

    def __str__(self) -> str:
        if self.left_out:
            return f"| {self.fault.label}: left out, {self.left_out} | | | | | | |"
        never = "" if self.doubled or not self.fault.once else " (never)"
        cells = (
            f"**{self.fault.label}**" if self.failed else self.fault.label,
            self.accepted,
            self.accepted - self.lost,
            f"{self.doubled}{never}",
            self.lost,
            self.injected,
            f"{self.recovered:.1f}",
        )
        return f"| {' | '.join(map(str, cells))} |"

    def as_dict(self) -> dict[str, str | int | float]:
        """Return the outcome for the command's report."""
        return {
            "fault": self.fault.label,
            "accepted": self.accepted,
            "lost": self.lost,
            "doubled": self.doubled,
            "seconds": round(self.recovered, 1),
            "left_out": self.left_out,
            "trouble": self.trouble,
            "failed": self.failed,
        }


def table(rows: Iterable[Row]) -> str:
    """Return one table for each combination, with its sums."""
    combinations: dict[Combination, list[Row]] = {}
    for row in rows:
        combinations.setdefault(row.on, []).append(row)
    return "\n\n".join(_part(on, part) for on, part in combinations.items())


def _part(on: Combination, rows: list[Row]) -> str:
    sums = [
        sum(row.accepted for row in rows),
        sum(row.accepted - row.lost for row in rows),
    ]
    sums += [sum(row.doubled for row in rows), sum(row.lost for row in rows)]
    sums += [sum(row.injected for row in rows)]
    total = f"| all | {' | '.join(map(str, sums))} | |"
    notes = [f"\n{note}" for row in rows for note in row.notes]
    return "\n".join([f"### {on}", "", HEAD, RULE, *map(str, rows), total, *notes])

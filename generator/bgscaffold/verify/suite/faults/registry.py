"""The faults: each registers itself, and declares where it applies."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bgscaffold.patterns import RECORDS, Pattern, PatternRecord
from bgscaffold.verify.suite.faults.context import Context
from bgscaffold.verify.suite.project import has_workers

BROKERS = ("embedded", "redis", "rabbitmq")
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Combination:
    """What a project runs on. A pattern without workers has no broker."""

    pattern: Pattern
    broker: str
    database: str

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.pattern, self.broker, self.database)))

    @property
    def record(self) -> PatternRecord:
        """What the pattern promises and supports."""
        return RECORDS[self.pattern]


def combinations() -> list[Combination]:
    """Return every combination whose pattern keeps tasks over a crash."""
    return [
        Combination(pattern, broker, database)
        for pattern, record in RECORDS.items()
        if record.durable
        for broker in (BROKERS if has_workers(record) else ("",))
        for database in DATABASES
    ]


@dataclass(frozen=True)
class Fault:
    """One way to break a project, where it applies, and what may come of it."""

    run: Callable[[Context], None]
    needs_workers: bool
    brokers: tuple[str, ...]
    databases: tuple[str, ...]
    once: bool
    proxied: bool
    quick: bool
    env: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The value of `--only`."""
        return self.run.__name__

    @property
    def label(self) -> str:
        """The name of its row in the table."""
        return " ".join((self.run.__doc__ or self.name).rstrip(".").split())

    def applies_to(self, on: Combination) -> bool:
        """Return whether this fault is possible there."""
        if self.needs_workers and not has_workers(on.record):
            return False
        has_broker = not on.broker or on.broker in self.brokers
        return has_broker and on.database in self.databases


FAULTS: list[Fault] = []


def fault(
    *,
    needs_workers: bool = False,
    brokers: tuple[str, ...] = BROKERS,
    databases: tuple[str, ...] = DATABASES,
    once: bool = False,
    proxied: bool = False,
    quick: bool = False,
    env: dict[str, str] | None = None,
) -> Callable[[Callable[[Context], None]], Callable[[Context], None]]:
    """Register a fault.

    Args:
        needs_workers: Only patterns with workers have it.
        brokers: The brokers that it applies to.
        databases: The databases that it applies to.
        once: It is no reason to run a task twice.
        proxied: The project reaches its broker through a proxy.
        quick: `--quick` runs it.
        env: Variables of the project's processes.
    """

    def register(run: Callable[[Context], None]) -> Callable[[Context], None]:
        FAULTS.append(
            Fault(
                run=run,
                needs_workers=needs_workers,
                brokers=brokers,
                databases=databases,
                once=once,
                proxied=proxied,
                quick=quick,
                env=env or {},
            )
        )
        return run

    return register

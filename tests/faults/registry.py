"""The faults: each registers itself, with where it applies."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.bench import Bench

PATTERNS = ("safe", "celery")
BROKERS = ("embedded", "redis", "rabbitmq")
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Combination:
    """What a project runs on."""

    pattern: str
    broker: str
    database: str

    def __str__(self) -> str:
        parts = (self.pattern, self.broker if self.pattern == "celery" else "", self.database)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Fault:
    """One way to do harm, where it applies, and whether a task may be done twice by it."""

    run: Callable[[Bench], None]
    patterns: tuple[str, ...]
    brokers: tuple[str, ...]
    databases: tuple[str, ...]
    once: bool
    proxied: bool
    env: dict[str, str]
    quick: bool

    @property
    def name(self) -> str:
        """What `--only` takes."""
        return self.run.__name__

    @property
    def label(self) -> str:
        """What the table shows."""
        return " ".join((self.run.__doc__ or self.name).rstrip(".").split())

    def applies_to(self, on: Combination) -> bool:
        """Tell whether this fault can be done there."""
        brokers = on.pattern == "safe" or on.broker in self.brokers
        return on.pattern in self.patterns and brokers and on.database in self.databases


FAULTS: list[Fault] = []


def fault(
    *patterns: str,
    brokers: tuple[str, ...] = BROKERS,
    databases: tuple[str, ...] = DATABASES,
    once: bool = False,
    proxied: bool = False,
    quick: bool = False,
    env: dict[str, str] | None = None,
) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Register a fault. `once`: it gives no reason to do a task twice. `quick`: `--quick` runs it."""

    def register(run: Callable[[Bench], None]) -> Callable[[Bench], None]:
        where = (patterns or PATTERNS, brokers, databases)
        FAULTS.append(Fault(run, *where, once, proxied, env or {}, quick))
        return run

    return register

"""A database that is locked, restarted, or has no room."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.faults.bench import LEASE, Bench
from tests.faults.disk import SmallDisk, TableOnDisk
from tests.faults.registry import fault
from tests.projects.terminal import until


@fault(databases=("sqlite",))
def database_locked(bench: Bench) -> None:
    """Another connection holds SQLite's write lock, for 2 to 12 seconds."""
    with bench.under_load():
        for n in bench.rounds[:6]:
            with bench.table.locked():
                bench.inject(partial(bench.pass_time, 1 + n * 2, 2 + n * 2))
            bench.pass_time(1, 2)


@fault(databases=("postgresql",))
def database_restarted(bench: Bench) -> None:
    """PostgreSQL is shut down fast and started again on the same port and data."""
    assert bench.postgres
    with bench.under_load():
        for n in bench.rounds[:5]:
            bench.inject(bench.postgres.stop)
            bench.pass_time(0, n * 2)
            bench.postgres.start()
            bench.pass_time(1, 2)


@fault(once=True)
def database_away(bench: Bench) -> None:
    """The database is away for longer than a lease, while long tasks run in two processes."""
    bench.stack.start(*bench.names, f"{bench.runner}-2")
    for _ in bench.rounds[:3]:
        for kind in ("slow", "slow_async"):
            bench.load.send(bench.stack.post, kind, LEASE + 8)
        until(lambda: bench.table.running() >= 2, bench.state)
        with unwritable(bench):
            bench.inject(partial(bench.pass_time, LEASE + 2, LEASE + 3))
        bench.recover()


@contextmanager
def unwritable(bench: Bench) -> Iterator[None]:
    """Let nobody write to the database as long as the block lasts."""
    if bench.postgres:
        bench.postgres.stop()
        yield
        bench.postgres.start()
    else:
        with bench.table.locked():
            yield


@fault(databases=("sqlite",))
def disk_full(bench: Bench) -> None:
    """The disk that holds SQLite and the broker's file is full for some seconds."""
    disk = SmallDisk(bench, "dev")
    bench.stack.start("dev")
    bench.table = TableOnDisk(bench, "dev")
    with bench.load.steady(bench.stack.url("dev")):
        bench.pass_time(2, 3)
        for _ in bench.rounds[:4]:
            bench.inject(disk.fill)
            bench.pass_time(3, 6)
            disk.empty()
            bench.pass_time(1, 2)
    bench.recover()

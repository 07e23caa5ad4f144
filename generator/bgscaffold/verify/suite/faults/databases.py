"""A database that is locked, restarted or down, or whose disk is full."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bgscaffold.verify.suite.faults.context import LEASE, Context
from bgscaffold.verify.suite.faults.disk import SmallDisk, TaskRunsOnDisk
from bgscaffold.verify.suite.faults.registry import fault
from bgscaffold.verify.suite.waiting import until


@fault(databases=("sqlite",))
def database_locked(context: Context) -> None:
    """Another connection holds SQLite's write lock, for 2 to 12 seconds."""
    with context.under_load():
        for n in context.rounds[:6]:
            with context.task_runs.locked():
                context.inject(partial(context.pass_time, 1 + n * 2, 2 + n * 2))
            context.pass_time(1, 2)


@fault(databases=("postgresql",))
def database_restarted(context: Context) -> None:
    """PostgreSQL is shut down fast and started again on the same port and data."""
    postgres = context.own_postgres
    with context.under_load():
        for n in context.rounds[:5]:
            context.inject(postgres.stop)
            context.pass_time(0, n * 2)
            postgres.start()
            context.pass_time(1, 2)


@fault(once=True)
def database_away(context: Context) -> None:
    """The database is down for longer than a lease, while long tasks run."""
    context.processes.start(*context.names, f"{context.runner}-2")
    for _ in context.rounds[:3]:
        for kind in ("slow", "slow_async"):
            context.send(kind, seconds=LEASE + 8)
        until(lambda: context.task_runs.running() >= 2, context.state)
        with unwritable(context):
            context.inject(partial(context.pass_time, LEASE + 2, LEASE + 3))
        context.recover()


@contextmanager
def unwritable(context: Context) -> Iterator[None]:
    """Let nobody write to the database while the block lasts."""
    if context.task_runs.is_sqlite:
        with context.task_runs.locked():
            yield
    else:
        postgres = context.own_postgres
        postgres.stop()
        yield
        postgres.start()


@fault(databases=("sqlite",))
def disk_full(context: Context) -> None:
    """The disk of SQLite and of the broker's file is full for some seconds."""
    disk = SmallDisk(context, "dev")
    context.processes.start("dev")
    context.task_runs = TaskRunsOnDisk(context, "dev")
    with context.load.steady(context.processes.url("dev")):
        context.pass_time(2, 3)
        for _ in context.rounds[:4]:
            context.inject(disk.fill)
            context.pass_time(3, 6)
            disk.empty()
            context.pass_time(1, 2)
    context.recover()

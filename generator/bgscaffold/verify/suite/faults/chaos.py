"""Everything that may happen, in the order of the seed."""

import time
from collections.abc import Callable
from functools import partial

from bgscaffold.verify.suite.faults.context import Context
from bgscaffold.verify.suite.faults.registry import fault


@fault(quick=True)
def chaos(context: Context) -> None:
    """Kills, terminations, broker and database restarts at random, under load."""
    end = time.monotonic() + (10 if context.quick else 90)
    with context.under_load():
        while time.monotonic() < end:
            context.inject(context.random.choice(_harms(context)))
            context.pass_time(0, 1)
            context.restore()
            context.pass_time(0.2, 2)


def _harms(context: Context) -> list[Callable[[], object]]:
    processes, name = context.processes, context.random.choice(context.names)
    harms: list[Callable[[], object]] = [
        partial(processes.kill, name),
        partial(processes.terminate, name),
        partial(processes.kill_group, name),
    ]
    if processes.project.has_workers:
        child = context.random.randrange(8)
        harms.append(partial(processes.kill_child, "worker", child))
        harms.append(context.wipe_broker)
    if context.broker:
        harms.append(context.broker.stop)
    if context.postgres:
        harms.append(context.postgres.stop)
    return harms

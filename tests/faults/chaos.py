"""Whatever may happen, in the order of the seed."""

import time
from collections.abc import Callable

from tests.faults.bench import Bench
from tests.faults.registry import fault


@fault(quick=True)
def chaos(bench: Bench) -> None:
    """Kills, terminations and broker or database restarts, at random, under steady load."""
    end = time.monotonic() + (10 if bench.quick else 90)
    with bench.under_load():
        while time.monotonic() < end:
            bench.inject(bench.random.choice(_harms(bench)))
            bench.pass_time(0, 1)
            bench.restore()
            bench.pass_time(0.2, 2)


def _harms(bench: Bench) -> list[Callable[[], object]]:
    stack, name = bench.stack, bench.random.choice(bench.names)
    harms: list[Callable[[], object]] = [
        lambda: stack.kill(name),
        lambda: stack.terminate(name),
        lambda: stack.kill_group(name),
    ]
    if bench.pattern == "celery":
        harms.append(lambda: stack.kill_child("worker", bench.random.randrange(8)))
        harms.append(bench.wipe_broker)
    if bench.broker:
        harms.append(bench.broker.stop)
    if bench.postgres:
        harms.append(bench.postgres.stop)
    return harms

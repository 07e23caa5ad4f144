"""A broker that is away, silent, restarted or empty: it holds nothing that matters."""

import time
from collections.abc import Callable
from functools import partial

from tests.faults.bench import Bench
from tests.faults.latency import measure
from tests.faults.registry import fault
from tests.projects.terminal import until

SERVERS = ("redis", "rabbitmq")


@fault("celery", brokers=SERVERS)
def broker_refused(bench: Bench) -> None:
    """The broker is stopped for some seconds: requests are accepted all the same."""
    assert bench.broker
    _away(bench, "refused", bench.broker.stop, bench.broker.start, (2, 4))


@fault("celery", brokers=SERVERS, proxied=True)
def broker_silent(bench: Bench) -> None:
    """The broker's port accepts connections and never answers, for some seconds."""
    assert bench.proxy
    _away(bench, "silent", bench.proxy.fall_silent, bench.proxy.pass_on, (6, 9))


def _away(
    bench: Bench,
    label: str,
    leave: Callable[[], object],
    come_back: Callable[[], object],
    how_long: tuple[float, float],
) -> None:
    with bench.under_load():
        for _ in bench.rounds[:3]:
            bench.inject(leave)
            bench.expect_acceptance()
            bench.notes.append(f"{label}: {measure(bench.stack, bench.load)}")
            bench.pass_time(*how_long)
            come_back()
            bench.catch_up()


@fault("celery", brokers=SERVERS)
def broker_leaves_worker(bench: Bench) -> None:
    """The broker is stopped while the worker holds a message that it has not begun, and asks for more."""
    assert bench.broker
    bench.stack.start(*bench.names)
    for _ in bench.rounds[:3]:
        bench.stack.wait("worker")
        before = bench.received()
        held = len(bench.stack.children("worker")) + 1
        for _ in range(held):
            bench.load.send(bench.stack.post, "slow", 3)
        until(partial(_received, bench, before + held), bench.state)
        bench.inject(bench.broker.stop)
        bench.pass_time(1, 2)
        bench.broker.start()
        bench.recover()
        assert not bench.stack.ended("worker"), "the worker has ended"


def _received(bench: Bench, number: int) -> bool:
    return bench.received() >= number


@fault("celery", brokers=SERVERS)
def broker_restarted(bench: Bench) -> None:
    """The broker is restarted while messages stand in it, and keeps them."""
    with bench.under_load():
        _restart_with_messages(bench)


@fault("celery", brokers=SERVERS)
def broker_forgets(bench: Bench) -> None:
    """The broker is restarted while messages stand in it, and has lost them."""
    assert bench.broker
    bench.broker.keeps = False
    bench.servers.callback(setattr, bench.broker, "keeps", True)
    bench.broker.stop()
    bench.broker.start()
    with bench.under_load():
        _restart_with_messages(bench)


def _restart_with_messages(bench: Bench) -> None:
    assert bench.broker
    for _ in bench.rounds[:3]:
        bench.stack.kill_group("worker")
        bench.pass_time(1, 2)
        bench.inject(bench.broker.stop)
        bench.broker.start()
        bench.stack.start("worker")
        bench.pass_time(0.5, 1)


@fault("celery")
def broker_wiped(bench: Bench) -> None:
    """FLUSHALL or a purge of the queue, while messages stand in it."""
    with bench.under_load():
        for _ in bench.rounds[:5]:
            bench.stack.kill_group("worker")
            bench.pass_time(1, 2)
            bench.inject(bench.wipe_broker)
            bench.stack.start("worker")
            bench.pass_time(0.5, 1)


@fault("celery", env={"TASK_LEASE": "30"})
def backlog(bench: Bench) -> None:
    """10,000 rows made while no worker runs: at most 1.2 messages a row are sent."""
    number = 1_000 if bench.quick else 10_000
    bench.stack.start("api")
    for _ in range(number // 500):
        bench.inject(lambda: bench.load.send_many(bench.stack.post, bench.load.name(), 500))
    bench.stack.start("worker")
    start = time.monotonic()
    bench.recover(patience=max(120, number / 20))
    messages = bench.received()  # it has received them all by now
    seconds = time.monotonic() - start
    bench.notes.append(f"backlog: {number} rows, {messages} messages, {seconds:.0f} s")
    assert number <= messages <= 1.2 * number, bench.notes[-1]

"""A broker that is away, silent, restarted or empty: it holds nothing that matters."""

import time

from tests.faults.bench import Bench
from tests.faults.registry import fault

SERVERS = ("redis", "rabbitmq")


@fault("celery", brokers=SERVERS)
def broker_refused(bench: Bench) -> None:
    """The broker is stopped for some seconds: requests are accepted all the same."""
    assert bench.broker
    with bench.under_load():
        for _ in bench.rounds[:3]:
            bench.inject(bench.broker.stop)
            bench.expect_acceptance()
            bench.pass_time(2, 4)
            bench.broker.start()
            bench.catch_up()


@fault("celery", brokers=SERVERS, proxied=True)
def broker_silent(bench: Bench) -> None:
    """The broker's port accepts connections and never answers, for some seconds."""
    assert bench.proxy
    with bench.under_load():
        for _ in bench.rounds[:3]:
            bench.inject(bench.proxy.fall_silent)
            bench.expect_acceptance()
            bench.pass_time(6, 9)
            bench.proxy.pass_on()
            bench.catch_up()


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
    """10,000 rows (1,000 in the embedded broker) made while no worker runs: at most 1.2 messages a row are sent."""
    number = 10_000 if bench.broker and not bench.quick else 1_000
    bench.stack.start("api")
    for _ in range(number // 500):
        bench.inject(lambda: bench.load.send_many(bench.stack.post, bench.load.name(), 500))
    bench.stack.start("worker")
    start = time.monotonic()
    bench.recover(patience=max(120, number / 20))
    # A worker's log says so of each message that it takes, and by now it has taken them all.
    messages = bench.stack.terminals["worker"].screen.count("] received")
    seconds = time.monotonic() - start
    bench.notes.append(f"backlog: {number} rows, {messages} messages, {seconds:.0f} s")
    assert number <= messages <= 1.2 * number, bench.notes[-1]

"""A broker that is down, silent, restarted or empty: it holds nothing that matters."""

import time
from collections.abc import Callable
from functools import partial

from bgscaffold.verify.suite.faults.context import Context, LeftOutError
from bgscaffold.verify.suite.faults.latency import measure
from bgscaffold.verify.suite.faults.registry import fault
from bgscaffold.verify.suite.waiting import until

SERVERS = ("redis", "rabbitmq")


@fault(needs_workers=True, brokers=SERVERS)
def broker_refused(context: Context) -> None:
    """The broker is stopped for some seconds: requests are accepted nevertheless."""
    broker = context.own_broker
    _interrupt(context, "refused", broker.stop, broker.start, (2, 4))


@fault(needs_workers=True, brokers=SERVERS, proxied=True)
def broker_silent(context: Context) -> None:
    """The broker accepts connections and does not answer, for some seconds."""
    if context.proxy is None:
        raise LeftOutError("it needs a proxy, and --broker names one of yours")
    proxy = context.proxy
    _interrupt(context, "silent", proxy.fall_silent, proxy.pass_on, (6, 9))


def _interrupt(
    context: Context,
    label: str,
    interrupt: Callable[[], object],
    restore: Callable[[], object],
    duration: tuple[float, float],
) -> None:
    with context.under_load():
        for _ in context.rounds[:3]:
            context.inject(interrupt)
            context.expect_acceptance()
            context.notes.append(f"{label}: {measure(context.processes, context.load)}")
            context.pass_time(*duration)
            restore()
            context.catch_up()


@fault(needs_workers=True, brokers=SERVERS)
def broker_leaves_worker(context: Context) -> None:
    """The broker is stopped while the worker holds a message that it has not begun."""
    broker = context.own_broker
    context.processes.start(*context.names)
    for _ in context.rounds[:3]:
        context.processes.wait("worker")
        messages = len(context.processes.children("worker")) + 1
        expected = context.received() + messages
        for _ in range(messages):
            context.send("slow", seconds=3)
        until(partial(_received, context, expected), context.state)
        context.inject(broker.stop)
        context.pass_time(1, 2)
        broker.start()
        context.recover()
        assert not context.processes.has_ended("worker"), "the worker has ended"


def _received(context: Context, number: int) -> bool:
    return context.received() >= number


@fault(needs_workers=True, brokers=SERVERS)
def broker_restarted(context: Context) -> None:
    """The broker is restarted with messages in it, and keeps them."""
    broker = context.own_broker
    with context.under_load():
        _restart_with_messages(context, broker.stop, broker.start)


@fault(needs_workers=True, brokers=SERVERS)
def broker_forgets(context: Context) -> None:
    """The broker is restarted with messages in it, and loses them."""
    broker = context.own_broker
    broker.keeps_data = False
    context.cleanup.callback(setattr, broker, "keeps_data", True)
    broker.stop()
    broker.start()
    with context.under_load():
        _restart_with_messages(context, broker.stop, broker.start)


def _restart_with_messages(
    context: Context, stop: Callable[[], object], start: Callable[[], object]
) -> None:
    for _ in context.rounds[:3]:
        context.processes.kill_group("worker")
        context.pass_time(1, 2)
        context.inject(stop)
        start()
        context.processes.start("worker")
        context.pass_time(0.5, 1)


@fault(needs_workers=True)
def broker_wiped(context: Context) -> None:
    """FLUSHALL or a purge of the queue, with messages in it."""
    with context.under_load():
        for _ in context.rounds[:5]:
            context.processes.kill_group("worker")
            context.pass_time(1, 2)
            context.inject(context.wipe_broker)
            context.processes.start("worker")
            context.pass_time(0.5, 1)


@fault(needs_workers=True, env={"TASK_LEASE": "30"})
def backlog(context: Context) -> None:
    """10,000 rows while no worker runs: at most 1.2 messages per row are sent."""
    number = 1_000 if context.quick else 10_000
    context.processes.start("api")
    for _ in range(number // 500):
        context.inject(partial(context.send_many, 500))
    context.processes.start("worker")
    start = time.monotonic()
    context.recover(timeout=max(120, number / 20))
    messages = context.received()
    seconds = time.monotonic() - start
    note = f"backlog: {number} rows, {messages} messages, {seconds:.0f} s"
    context.notes.append(note)
    assert number <= messages <= 1.2 * number, note

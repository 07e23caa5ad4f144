"""Tasks that end their process or never end, and large numbers of tasks."""

from functools import partial

from bgscaffold.verify.suite.faults.context import LEASE, TIMEOUT, Context
from bgscaffold.verify.suite.faults.registry import fault
from bgscaffold.verify.suite.waiting import until


@fault()
def leaving_task(context: Context) -> None:
    """Tasks whose first two attempts end their process, and whose third succeeds."""
    with context.under_load(), context.kept_alive():
        for _ in context.rounds[:4]:
            leaving = context.send("leave", seconds=2)
            until(partial(context.load.times, leaving), context.state, TIMEOUT)
            context.injected += 2


@fault()
def crashing_task(context: Context) -> None:
    """A task whose attempts all end its process, beside ten others: only it is dead."""
    context.processes.start(*context.names)
    for _ in range(10):
        context.send("slow", seconds=4)
    crashing = context.send("leave", seconds=100)
    context.expected_dead.add(crashing)
    with context.kept_alive():
        until(partial(context.task_runs.is_dead, crashing), context.state, TIMEOUT)
        context.injected += context.load.attempts(crashing)
        context.recover()


@fault()
def endless_task(context: Context) -> None:
    """A task that never ends: others run, and its process can be ended."""
    with context.under_load():
        endless = context.send("never_end")
        until(partial(context.load.times, endless), context.state, TIMEOUT)
        context.pass_time(2, 4)
        until(lambda: context.load.accepted, context.state, TIMEOUT)
        before = set(context.load.accepted)
        until(lambda: before <= context.load.effects().keys(), context.state, TIMEOUT)
        context.inject(partial(context.processes.kill_group, context.runner))
        context.task_runs.delete(endless)
        context.processes.start(context.runner)


@fault(needs_workers=True)
def stubborn_task(context: Context) -> None:
    """Two `def` tasks over their time limit: one is interrupted, one is killed."""
    with context.under_load():
        for kind in ("interrupted", "stubborn"):
            name = context.send(kind)
            context.expected_dead.add(name)
            until(partial(context.task_runs.is_dead, name), context.state, TIMEOUT)
            context.injected += 1


@fault(once=True)
def long_task(context: Context) -> None:
    """Tasks that take three times as long as their lease, beside a second process."""
    second = f"{context.runner}-2"
    context.processes.start(*context.names, second)
    for kind in ("slow", "slow_async") * (1 if context.quick else 2):
        context.inject(partial(context.send, kind, seconds=3 * LEASE))
    with context.load.steady(context.processes.url()):
        context.pass_time(LEASE, LEASE + 1)
    context.recover()


@fault(once=True, quick=True, env={"TASK_LEASE": "30"})
def thousand_tasks(context: Context) -> None:
    """1,000 tasks in one request."""
    context.processes.start(*context.names)
    context.inject(partial(context.send_many, 1000))
    context.recover(timeout=2 * TIMEOUT)


@fault()
def two_of_each(context: Context) -> None:
    """Two of each process on one database; kill -9 of one of each."""
    seconds = [f"{name}-2" for name in context.names]
    context.processes.start(*context.names, *seconds)
    with context.load.steady(*context.both_urls):
        context.pass_time(1, 2)
        kills = [partial(context.processes.kill_group, name) for name in seconds]
        context.repeat(*kills, restart=seconds, pause=(0.5, 1))
    context.recover()


@fault(once=True)
def two_in_peace(context: Context) -> None:
    """Two of each process on one database, undisturbed."""
    context.processes.start(*context.names, *(f"{name}-2" for name in context.names))
    with context.load.steady(*context.both_urls):
        context.pass_time(5, 6)
    context.recover()

"""Tasks, and numbers of tasks, that are hard to bear."""

from functools import partial

from tests.faults.bench import LEASE, PATIENCE, Bench
from tests.faults.registry import fault
from tests.projects.terminal import until


@fault()
def leaving_task(bench: Bench) -> None:
    """Tasks that end their process with os._exit at the first two attempts, then succeed."""
    with bench.under_load(), bench.kept_alive():
        for _ in bench.rounds[:4]:
            leaving = bench.load.send(bench.stack.post, "leave", 2)
            until(partial(bench.load.times, leaving), bench.state, PATIENCE)
            bench.injected += 2


@fault()
def deadly_task(bench: Bench) -> None:
    """A task that ends its process at every attempt, beside ten of 4 s; it ends dead, they do not."""
    bench.stack.start(*bench.names)
    for _ in range(10):
        bench.load.send(bench.stack.post, "slow", 4)
    deadly = bench.load.send(bench.stack.post, "leave", 100)
    bench.accepted_but.add(deadly)
    with bench.kept_alive():
        until(lambda: bench.table.is_dead(deadly), bench.state, PATIENCE)
        bench.injected += bench.load.attempts(deadly)
        bench.recover()


@fault()
def endless_task(bench: Bench) -> None:
    """A task that never ends: others go on, and its process can be ended."""
    with bench.under_load():
        endless = bench.load.send(bench.stack.post, "never_end")
        until(partial(bench.load.times, endless), bench.state, PATIENCE)
        bench.pass_time(2, 4)
        until(lambda: bench.load.accepted, bench.state, PATIENCE)
        before = set(bench.load.accepted)
        until(lambda: before <= bench.load.effects().keys(), bench.state, PATIENCE)
        bench.inject(lambda: bench.stack.kill_group(bench.runner))
        bench.table.forget(endless)
        bench.stack.start(bench.runner)


@fault("celery")
def stubborn_task(bench: Bench) -> None:
    """`def` tasks that outlast their time limit: one is interrupted, one has to be killed; both die."""
    with bench.under_load():
        for kind in ("interrupted", "stubborn"):
            name = bench.load.send(bench.stack.post, kind)
            bench.accepted_but.add(name)
            until(partial(bench.table.is_dead, name), bench.state, PATIENCE)
            bench.injected += 1


@fault(once=True)
def long_task(bench: Bench) -> None:
    """Tasks that take three times as long as their lease, with two processes to run them."""
    second = f"{bench.runner}-2"
    bench.stack.start(*bench.names, second)
    for kind in ("slow", "slow_async") * (1 if bench.quick else 2):
        bench.inject(partial(bench.load.send, bench.stack.post, kind, 3 * LEASE))
    with bench.load.steady(bench.stack.url()):
        bench.pass_time(LEASE, LEASE + 1)
    bench.recover()


@fault(once=True, quick=True, env={"TASK_LEASE": "30"})
def thousand_tasks(bench: Bench) -> None:
    """1,000 tasks in one request."""
    bench.stack.start(*bench.names)
    name = bench.load.name()
    bench.inject(lambda: bench.load.send_many(bench.stack.post, name, 1000))
    bench.recover(patience=2 * PATIENCE)


@fault()
def two_of_each(bench: Bench) -> None:
    """Two APIs and, in celery, two workers on one table; kill -9 of one of each."""
    seconds = [f"{name}-2" for name in bench.names]
    bench.stack.start(*bench.names, *seconds)
    with bench.load.steady(bench.stack.url("api"), bench.stack.url("api-2")):
        bench.pass_time(1, 2)
        kills = [partial(bench.stack.kill_group, name) for name in seconds]
        bench.repeat(*kills, restart=seconds, pause=(0.5, 1))
    bench.recover()


@fault(once=True)
def two_in_peace(bench: Bench) -> None:
    """Two APIs and, in celery, two workers on one table, left in peace."""
    bench.stack.start(*bench.names, *(f"{name}-2" for name in bench.names))
    with bench.load.steady(bench.stack.url("api"), bench.stack.url("api-2")):
        bench.pass_time(5, 6)
    bench.recover()

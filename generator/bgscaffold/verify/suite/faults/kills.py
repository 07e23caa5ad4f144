"""SIGKILL: from the OOM killer, a power cut, or a platform whose time limit is over."""

import time
from functools import partial

from bgscaffold.verify.suite.faults.context import Context
from bgscaffold.verify.suite.faults.registry import fault
from bgscaffold.verify.suite.waiting import until


@fault()
def kill_api(context: Context) -> None:
    """kill -9 of the API, then a restart."""
    with context.under_load():
        context.repeat(partial(context.processes.kill, "api"), restart=["api"])


@fault(needs_workers=True)
def kill_worker(context: Context) -> None:
    """kill -9 of the worker's main process, then a restart."""
    with context.under_load():
        context.repeat(partial(context.processes.kill, "worker"), restart=["worker"])


@fault(needs_workers=True)
def kill_pool_child(context: Context) -> None:
    """kill -9 of a process of the worker's pool; Celery replaces it."""

    def kill_one() -> None:
        context.processes.kill_child("worker", context.random.randrange(8))

    with context.under_load():
        context.repeat(kill_one, restart=[], pause=(0.5, 2))


@fault(quick=True)
def kill_everything(context: Context) -> None:
    """kill -9 of all processes of the project at once, then a restart."""
    with context.under_load():
        kills = [partial(context.processes.kill_group, name) for name in context.names]
        context.repeat(*kills, restart=context.names)


@fault(needs_workers=True, env={"TASK_LEASE": "30", "TASK_SWEEP": "1"})
def default_lease(context: Context) -> None:
    """kill -9 of a whole worker, with the default lease: its tasks are resumed."""
    context.processes.start(*context.names)
    for _ in range(12):
        context.send("slow", seconds=4)
    until(lambda: context.task_runs.running() >= 2, context.state)
    context.inject(partial(context.processes.kill_group, "worker"))
    killed = time.time()
    context.processes.start("worker")
    context.recover()
    late = max(context.load.starts()) - killed
    context.notes.append(
        f"default lease: the last of 12 tasks of 4 s began {late:.0f} s after the kill"
    )
    assert late <= 30 + 5, context.notes[-1]


@fault(needs_workers=True)
def api_gone(context: Context) -> None:
    """kill -9 of the API without a restart: its tasks and their retries continue."""
    with context.under_load():
        for _ in range(4):
            context.send("leave", seconds=1)
        context.inject(partial(context.processes.kill, "api"))

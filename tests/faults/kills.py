"""SIGKILL: what the OOM killer, a power cut and a platform out of patience do."""

import time
from functools import partial

from tests.faults.bench import Bench
from tests.faults.registry import fault
from tests.projects.terminal import until


@fault()
def kill_api(bench: Bench) -> None:
    """kill -9 of the API, then started again."""
    with bench.under_load():
        bench.repeat(lambda: bench.stack.kill("api"), restart=["api"])


@fault("celery")
def kill_worker(bench: Bench) -> None:
    """kill -9 of the worker's main process, then started again."""
    with bench.under_load():
        bench.repeat(lambda: bench.stack.kill("worker"), restart=["worker"])


@fault("celery")
def kill_pool_child(bench: Bench) -> None:
    """kill -9 of a process of the worker's pool; Celery replaces it."""

    def kill_one() -> None:
        bench.stack.kill_child("worker", bench.random.randrange(8))

    with bench.under_load():
        bench.repeat(kill_one, restart=[], pause=(0.5, 2))


@fault(quick=True)
def kill_everything(bench: Bench) -> None:
    """kill -9 of all that the project has started at once, then started again."""
    with bench.under_load():
        kills = [partial(bench.stack.kill_group, name) for name in bench.names]
        bench.repeat(*kills, restart=bench.names)


@fault("celery", env={"TASK_LEASE": "30", "TASK_SWEEP": "1"})
def default_lease(bench: Bench) -> None:
    """kill -9 of all of a worker, with the default lease: what ran, or stood in the worker, goes on."""
    bench.stack.start(*bench.names)
    for _ in range(12):
        bench.load.send(bench.stack.post, "slow", 4)
    until(lambda: bench.table.running() >= 2, bench.state)
    bench.inject(lambda: bench.stack.kill_group("worker"))
    killed = time.time()
    bench.stack.start("worker")
    bench.recover()
    late = max(bench.load.starts()) - killed
    bench.notes.append(
        f"default lease: the last of 12 tasks of 4 s began {late:.0f} s after the kill"
    )
    assert late <= 30 + 5, bench.notes[-1]


@fault("celery")
def api_gone(bench: Bench) -> None:
    """kill -9 of the API, for good: what it accepted, and retries, go on without it."""
    with bench.under_load():
        for _ in range(4):
            bench.load.send(bench.stack.post, "leave", 1)
        bench.inject(lambda: bench.stack.kill("api"))

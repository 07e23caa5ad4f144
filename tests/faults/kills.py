"""SIGKILL: what the OOM killer, a power cut and a platform out of patience do."""

from tests.faults.bench import Bench
from tests.faults.registry import fault


@fault()
def kill_api(bench: Bench) -> None:
    """kill -9 of the API, then started again."""
    with bench.under_load():
        for _ in bench.rounds:
            bench.inject(lambda: bench.stack.kill("api"))
            bench.stack.start("api")
            bench.pass_time(0.3, 2)


@fault("celery")
def kill_worker(bench: Bench) -> None:
    """kill -9 of the worker's main process, then started again."""
    with bench.under_load():
        for _ in bench.rounds:
            bench.inject(lambda: bench.stack.kill("worker"))
            bench.stack.start("worker")
            bench.pass_time(0.3, 2)


@fault("celery")
def kill_pool_child(bench: Bench) -> None:
    """kill -9 of a process of the worker's pool; Celery replaces it."""
    with bench.under_load():
        for _ in bench.rounds:
            bench.inject(lambda: bench.stack.kill_child("worker", bench.random.randrange(8)))
            bench.pass_time(0.5, 2)


@fault(quick=True)
def kill_everything(bench: Bench) -> None:
    """kill -9 of all that the project has started at once, then started again."""
    with bench.under_load():
        for _ in bench.rounds:
            for name in bench.names:
                bench.inject(lambda name=name: bench.stack.kill_group(name))  # type: ignore[misc]
            bench.stack.start(*bench.names)
            bench.pass_time(0.3, 2)


@fault("celery")
def api_gone(bench: Bench) -> None:
    """kill -9 of the API, for good: what it accepted, and retries, go on without it."""
    with bench.under_load():
        for _ in range(4):
            bench.load.send(bench.stack.post, "leave", 1)
        bench.inject(lambda: bench.stack.kill("api"))

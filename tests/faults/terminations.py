"""SIGTERM: what a deployment sends, in the middle of the work."""

from tests.faults.bench import Bench
from tests.faults.registry import fault


@fault(once=True)
def terminate_api(bench: Bench) -> None:
    """SIGTERM to the API in the middle, then started again."""
    with bench.under_load():
        for _ in bench.rounds:
            bench.inject(lambda: bench.stack.terminate("api"))
            bench.stack.start("api")
            bench.pass_time(0.3, 1)


@fault("celery", once=True)
def terminate_worker(bench: Bench) -> None:
    """SIGTERM to the worker in the middle, then started again."""
    with bench.under_load():
        for _ in bench.rounds:
            bench.inject(lambda: bench.stack.terminate("worker"))
            bench.stack.start("worker")
            bench.pass_time(0.3, 1)


@fault(once=True)
def deploy(bench: Bench) -> None:
    """SIGTERM to everything at once; the new processes start while the old ones still end."""
    with bench.under_load():
        for _ in bench.rounds:
            for name in bench.names:
                bench.inject(lambda name=name: bench.stack.request_end(name))  # type: ignore[misc]
            for name in reversed(bench.names):
                if name == "api":
                    bench.stack.wait_ended(name)  # it has the port
            bench.stack.start(*bench.names)
            bench.pass_time(0.3, 1)

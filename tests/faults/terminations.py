"""SIGTERM: what a deployment sends, in the middle of the work."""

from functools import partial

from tests.faults.bench import Bench
from tests.faults.registry import fault

PAUSE = (0.3, 1.0)


@fault(once=True)
def terminate_api(bench: Bench) -> None:
    """SIGTERM to the API in the middle, then started again."""
    with bench.under_load():
        bench.repeat(lambda: bench.stack.terminate("api"), restart=["api"], pause=PAUSE)


@fault("celery", once=True)
def terminate_worker(bench: Bench) -> None:
    """SIGTERM to the worker in the middle, then started again."""
    with bench.under_load():
        bench.repeat(lambda: bench.stack.terminate("worker"), restart=["worker"], pause=PAUSE)


@fault(once=True)
def deploy(bench: Bench) -> None:
    """SIGTERM to everything at once; the new processes start while the old ones still end."""
    with bench.under_load():
        for _ in bench.rounds:
            for name in bench.names:
                bench.inject(partial(bench.stack.request_end, name))
            bench.stack.wait_ended("api")  # it has the port
            bench.stack.start(*bench.names)
            bench.pass_time(*PAUSE)

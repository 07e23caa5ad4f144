"""SIGTERM from a deployment, while tasks run."""

from functools import partial

from bgscaffold.verify.suite.faults.context import Context
from bgscaffold.verify.suite.faults.registry import fault

PAUSE = (0.3, 1.0)


@fault(once=True)
def terminate_api(context: Context) -> None:
    """SIGTERM to the API while tasks run, then a restart."""
    with context.under_load():
        terminate = partial(context.processes.terminate, "api")
        context.repeat(terminate, restart=["api"], pause=PAUSE)


@fault(needs_workers=True, once=True)
def terminate_worker(context: Context) -> None:
    """SIGTERM to the worker while tasks run, then a restart."""
    with context.under_load():
        terminate = partial(context.processes.terminate, "worker")
        context.repeat(terminate, restart=["worker"], pause=PAUSE)


@fault(once=True)
def deploy(context: Context) -> None:
    """SIGTERM to everything at once; new processes start while the old ones end."""
    with context.under_load():
        for _ in context.rounds:
            for name in context.names:
                context.inject(partial(context.processes.request_end, name))
            context.processes.wait_ended("api")  # it uses the port
            context.processes.start(*context.names)
            context.pass_time(*PAUSE)

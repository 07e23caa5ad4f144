"""What Celery's processes do when they start: worker, beat and the commands.

Nothing happens at import. Celery's signal `import_modules` registers the tasks, so
`app.background` can be imported before the domains that import it.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery, bootsteps, signals

from afterward.backend import Application, check_supported
from afterward.errors import without_traceback
from afterward.observability import logs
from afterward.observability.metrics import get_metrics
from afterward.schedule.beat import create_scheduler_class
from afterward.settings import get_settings
from afterward.tasks import TASKS
from afterward.workers import shutdown
from afterward.workers.app import all_queues
from afterward.workers.execute import Executor

if TYPE_CHECKING:
    from afterward.workers.publisher import Publisher

# Seconds after its timeout. A `def` task that ignores the interruption is killed.
KILL_DELAY = 10.0


def set_up_workers(app: Any, application: Application, publisher: Publisher) -> None:
    """Register what happens when a process of Celery starts."""

    def register_tasks(sender: object, **_: object) -> None:
        if sender is app:
            _register_tasks(app, application)

    signals.import_modules.connect(register_tasks, weak=False)
    signals.setup_logging.connect(_configure_logging, weak=False)
    prepare = partial(_prepare_process, application)
    app.conf.beat_scheduler = create_scheduler_class(application, prepare)
    app.steps["worker"].add(_sweeper_class(application, publisher))


def _register_tasks(app: Celery, application: Application) -> None:
    get_metrics()  # before the pool forks, so that all its processes share a folder
    application.domains.import_tasks()
    with without_traceback():
        check_supported(application.backend)
    executor = Executor(application.database)

    def execute(task_id: str, attempts: int) -> None:
        executor.execute(task_id, attempts)

    for name in TASKS:
        # Under its own name, so that monitoring, routing and rate limits see the task.
        app.task(execute, name=name, shared=False, **_time_limits(name))
    app.conf.task_queues = all_queues()


def _time_limits(name: str) -> dict[str, float]:
    """Return Celery's time limits: a `def` task is interrupted, then killed."""
    timeout = TASKS[name].options.get("timeout")
    if timeout is None or TASKS[name].is_async:
        return {}
    return {"soft_time_limit": timeout, "time_limit": timeout + KILL_DELAY}


def _configure_logging(**_: object) -> None:
    logs.configure()
    # For Celery, every message that was looked at succeeds, whatever its task did.
    logging.getLogger("celery.app.trace").setLevel("WARNING")


def _prepare_process(application: Application) -> None:
    """Check the settings and the database before a worker or beat starts."""
    with without_traceback():
        get_settings().require_production_broker()
        application.prepare()


def _sweeper_class(application: Application, publisher: Publisher) -> type[Any]:
    class Sweeper(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        """Sweeps from the worker too, so that retries continue when the API is down."""

        requires = ("celery.worker.components:Timer",)

        def start(self, parent: Any) -> None:
            _prepare_process(application)
            shutdown.interrupt_after_grace(parent)
            settings = get_settings()
            if settings.worker_metrics_port:
                get_metrics().serve(settings.worker_metrics_port)
            interval, call = settings.task_sweep, parent.timer.call_repeatedly
            self.entry = call(interval, self.sweep, [parent])

        def stop(self, parent: Any) -> None:
            self.entry.cancel()

        @staticmethod
        def sweep(worker: Any) -> None:
            publisher.publish_due()
            Path("var").mkdir(exist_ok=True)
            # A health check of the container looks at the age of this file.
            Path("var", f"{worker.hostname}.alive").touch()
            if get_settings().uses_embedded_broker:
                from afterward.workers import embedded_broker

                embedded_broker.restart_if_pool_process_died(worker)

    return Sweeper

"""`Background`: what an application configures, in `app/background.py`."""

from __future__ import annotations

import asyncio
import gc
import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fastapi

from afterward.backend import Backend, check_supported
from afterward.discovery import Domains
from afterward.enqueue import BackgroundTasks, RequestBackgroundTasks
from afterward.errors import EnqueueError, StartupError, without_traceback
from afterward.requirements import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
    from sqlalchemy.orm import Session

    from afterward.database import Database


class Background:
    """Connects a backend with the application: its session, its engines, its domains.

    Args:
        backend: `Simple()`, `Async()`, `Safe()` or `Celery()`.
        session: The application's own `Annotated` session dependency, async or sync.
        engine: Returns the application's `AsyncEngine`.
        sync_engine: Returns the application's `Engine`. Where one of the two is
            missing, it is made from the URL of the other.
        prepare: Makes the database ready before anything runs, and raises
            `StartupError` if it is not. It blocks.
        domains: The package whose subpackages have `router.py` and `tasks.py`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        session: Any = None,
        engine: Callable[[], AsyncEngine] | None = None,
        sync_engine: Callable[[], Engine] | None = None,
        prepare: Callable[[], None] | None = None,
        domains: str = "app",
    ) -> None:
        with without_traceback():
            require("base", f"Pattern {backend.name}")
            require(backend.name, f"Pattern {backend.name}")
        self.backend = backend
        self.domains = Domains(domains)
        self.per_request = fastapi.Depends(self._dependency(session), scope="function")
        self._prepare = prepare
        self._database = _connect_database(engine, sync_engine)
        backend.connect(self)

    @property
    def database(self) -> Database:
        """The application's database.

        Raises:
            StartupError: The application gave no engine, and the backend needs one.
        """
        if self._database is None:
            raise StartupError(
                f"Pattern {self.backend.name!r} needs a database. Pass engine= or"
                " sync_engine= to Background(...)."
            )
        return self._database

    @property
    def has_database(self) -> bool:
        """Whether the application gave an engine."""
        return self._database is not None

    def tasks(self, session: AsyncSession | Session | None = None) -> BackgroundTasks:
        """Return a `BackgroundTasks` for code outside a request.

        Use it with `async with` or, in `def` code, with `with`: in a task, at the end of
        a stream, in a WebSocket, in a script. The tasks start when the block ends or,
        with a session of your own, when you commit it.
        """
        return BackgroundTasks(self, session)

    def prepare(self) -> None:
        """Make the database ready for this process, and check its schema. It blocks.

        Raises:
            StartupError: The database cannot be used, or its schema is too old.
        """
        if self._prepare:
            self._prepare()
        if self.backend.is_durable:
            from afterward.outbox import migrations

            migrations.check_version(self.database)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Prepare the database, run tasks while the API serves, and drain them."""
        with without_traceback():
            await asyncio.to_thread(self.prepare)
            check_supported(self.backend)
            async with self.backend.lifespan(), self._schedule():
                # Modules stay loaded. Searching them for garbage again and again delays
                # a request by a tenth of a second each time.
                gc.freeze()
                yield

    @asynccontextmanager
    async def _schedule(self) -> AsyncIterator[None]:
        from afterward.schedule import in_process

        if self.backend.name == "celery" or not in_process.has_scheduled_tasks():
            yield
            return
        async with in_process.run_schedule(self):
            yield

    def install(self, app: fastapi.FastAPI, *, configure_logging: bool = True) -> None:
        """Add error handlers, health, metrics and the domains' routes to an app.

        Args:
            app: The API.
            configure_logging: Whether all logs of this process get one format.
        """
        from afterward.observability import logs, metrics
        from afterward.web import errors, health

        if configure_logging:
            logs.configure()
        metrics.get_metrics()  # before a domain imports prometheus_client
        errors.install(app, with_database=self.has_database)
        app.include_router(health.create_router(self))
        for router in (*self.backend.routers(), *self.domains.import_routers()):
            app.include_router(router)

    def _dependency(self, session: Any) -> Any:
        """Return the dependency of a route, with the application's session in it.

        FastAPI reads the signature when a route is declared. The session must be the
        application's own alias, or FastAPI opens a second session for the request.
        """

        async def background_tasks_of_request(
            **given: Any,
        ) -> AsyncIterator[BackgroundTasks]:
            if "request" not in given:
                raise EnqueueError(
                    "BackgroundTasksDep works in routes that send a response. In a"
                    " WebSocket use: async with background_tasks() as tasks: ..."
                )
            tasks = RequestBackgroundTasks(
                self,
                session=given.get("session"),
                request=given["request"],
                after_response=given["after_response"],
            )
            async with tasks:
                yield tasks

        parameters = {
            "request": fastapi.Request,
            "after_response": fastapi.BackgroundTasks,
            **({} if session is None else {"session": session}),
        }
        dependency: Any = background_tasks_of_request
        dependency.__signature__ = _signature(parameters)
        return dependency


def _signature(parameters: dict[str, Any]) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter(name, kind, annotation=annotation)
            for name, annotation in parameters.items()
        ]
    )


def _connect_database(
    engine: Callable[[], AsyncEngine] | None,
    sync_engine: Callable[[], Engine] | None,
) -> Database | None:
    if engine is None and sync_engine is None:
        return None
    from afterward.database import Database

    return Database(engine, sync_engine)

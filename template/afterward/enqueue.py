"""Enqueuing: calls are collected, and become task runs when their unit of work succeeds.

    handler -> flush -> commit -> response -> run

A handler that raises enqueues nothing, and neither does a commit that fails.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, Self, Unpack
from uuid import NAMESPACE_URL, uuid5

from afterward.backend import Application, Option
from afterward.errors import EnqueueError
from afterward.tasks import CallOptions, TaskRun, bind, check_known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import fastapi
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session, SessionTransaction


P = ParamSpec("P")
PRIORITIES = ("high", "normal", "low")


class BackgroundTasks:
    """Collects calls, and enqueues all of them when its block ends without an error."""

    def __init__(
        self, application: Application, session: AsyncSession | Session | None = None
    ) -> None:
        self._application = application
        self._session = session
        self._runs: list[TaskRun] = []
        self._is_closed = False

    def add_task(
        self, func: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> str:
        """Add a call of a task, and return its task_id.

        Raises:
            EnqueueError: The call is not valid, or the block has ended.
        """
        return self._add(bind(func, args, kwargs))

    def options(self, **options: Unpack[CallOptions]) -> CallWithOptions:
        """Return an object whose `add_task` uses these options: key, run_at, priority.

        Raises:
            EnqueueError: An option is not valid, or the pattern does not support it.
        """
        check_known("options()", options, CallOptions)
        self._check_supported(options)
        priority = options.get("priority", "normal")
        if priority not in PRIORITIES:
            raise EnqueueError(
                f"priority={priority!r} is not one of: {', '.join(PRIORITIES)}."
            )
        run_at = options.get("run_at")
        if run_at and run_at.tzinfo is None:
            raise EnqueueError(
                f"run_at={run_at!r} has no time zone. Use datetime.now(UTC) + ..."
            )
        return CallWithOptions(self, options)

    def _check_supported(self, options: CallOptions) -> None:
        given = {name for name, value in options.items() if value is not None}
        if lacking := given - self._application.backend.supports:
            raise EnqueueError(
                f"options({', '.join(sorted(lacking))}=...) is not supported by pattern"
                f" {self._application.backend.name!r}. Leave it out, or run:"
                " bgscaffold promote safe"
            )

    def _add(self, run: TaskRun) -> str:
        if self._is_closed:
            raise EnqueueError(
                "add_task() was called after the request's tasks were enqueued, for"
                " instance in a stream. Use: async with background_tasks() as tasks:"
                " tasks.add_task(...)"
            )
        self._runs.append(run)
        return run.task_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, *_: object
    ) -> None:
        self._is_closed = True
        if error_type is not None or not self._runs:
            return
        if self._session is not None:
            await _run_sync(self._session, self._join)
        elif self._application.backend.is_durable:
            async with self._application.database.session() as session, session.begin():
                await session.run_sync(self._join)
        else:
            self._application.backend.start(self._runs)

    def __enter__(self) -> Self:
        if hasattr(self._session, "run_sync") or _is_in_event_loop():
            raise RuntimeError(
                "In async code write: async with background_tasks() as tasks: ..."
            )
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        self._is_closed = True
        if error_type is not None or not self._runs:
            return
        if self._session is not None:
            self._join(self._session)
        elif self._application.backend.is_durable:
            with self._application.database.sync_session() as session, session.begin():
                self._join(session)
        else:
            self._application.backend.start(self._runs)

    def _join(self, session: Any) -> None:
        """Write the task runs into the session's transaction, and start them after it."""
        backend = self._application.backend
        backend.insert(session, self._runs, in_request=False)
        call_after_commit(session, lambda: backend.start(self._runs))


@dataclass(frozen=True)
class CallWithOptions:
    """Adds calls with options to a `BackgroundTasks`."""

    tasks: BackgroundTasks
    options: CallOptions

    def add_task(
        self, func: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> str:
        """Add a call, as `BackgroundTasks.add_task` does."""
        run = replace(bind(func, args, kwargs), options=self.options)
        if key := self.options.get("key"):
            run = replace(run, task_id=task_id_for_key(key, run.task.name))
        return self.tasks._add(run)


class RequestBackgroundTasks(BackgroundTasks):
    """Collects the calls of one request.

    It writes them whenever the request's session commits, and commits what remains when
    the handler returns. So it works with session dependencies that commit, and with
    those that do not. A rollback drops what was added since the last commit or, of a
    savepoint, what was added in it. The task runs start when the response has been sent.
    """

    def __init__(
        self,
        application: Application,
        session: AsyncSession | Session | None,
        request: fastapi.Request,
        after_response: fastapi.BackgroundTasks,
    ) -> None:
        super().__init__(application, session)
        self._request = request
        self._after_response = after_response
        self._sync_session: Any = getattr(session, "sync_session", session)
        self._savepoints: dict[str, list[SessionTransaction]] = {}
        self._added = 0
        self._written: list[TaskRun] = []
        self._committed: list[TaskRun] = []
        self._key = None
        if Option.KEY in application.backend.supports:
            self._key = request.headers.get("idempotency-key")

    def _add(self, run: TaskRun) -> str:
        if self._key and "key" not in run.options:
            caller = self._request.headers.get("authorization")
            route = f"{self._request.method} {self._request.url.path}"
            name, number = run.task.name, self._added
            task_id = task_id_for_key(self._key, name, caller, route, number)
            options = CallOptions(**{**run.options, "key": self._key})
            run = replace(run, task_id=task_id, options=options)
        self._added += 1
        if self._session is not None:
            self._savepoints[run.task_id] = list(_open_savepoints(self._sync_session))
        return super()._add(run)

    async def __aenter__(self) -> Self:
        self._listen("listen")
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, *_: object
    ) -> None:
        self._is_closed = True
        succeeded = False
        try:
            if error_type is None:
                await self._commit_remaining()
                succeeded = True
        finally:
            self._listen("remove")
            self._start(after_response=succeeded)

    async def _commit_remaining(self) -> None:
        if not self._runs and not self._written:
            return
        backend = self._application.backend
        if self._session is not None:
            await _run_sync(self._session, self._commit)
        elif backend.is_durable:
            async with self._application.database.session() as session, session.begin():
                await session.run_sync(backend.insert, self._runs, in_request=True)
        self._committed += self._runs

    def _commit(self, session: Session) -> None:
        if not self._application.backend.is_durable and not session.in_transaction():
            return  # there is nothing to commit
        try:
            session.commit()
        except BaseException:
            session.rollback()  # a COMMIT that SQLite refuses keeps its write lock
            raise

    def _start(self, *, after_response: bool) -> None:
        if not self._committed:
            return
        backend = self._application.backend
        if after_response:
            self._after_response.add_task(backend.start_after_response, self._committed)
        else:  # no response follows, and nothing can undo the commit
            backend.start(self._committed)

    def _listen(self, action: str) -> None:
        """Add or remove the listeners that write task runs in the session's commits."""
        if self._session is None:
            return
        from sqlalchemy import event

        register = getattr(event, action)
        register(self._sync_session, "before_commit", self._write)
        register(self._sync_session, "after_commit", self._after_commit)
        register(self._sync_session, "after_soft_rollback", self._after_rollback)

    def _write(self, session: Session) -> None:
        if session.in_nested_transaction() or not self._runs:
            return
        self._written, self._runs = self._runs, []
        self._application.backend.insert(session, self._written, in_request=True)

    def _after_commit(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._committed, self._written = [*self._committed, *self._written], []

    def _after_rollback(self, _session: Session, ended: SessionTransaction) -> None:
        if ended.parent is None:
            self._runs, self._written = [], []
        else:
            kept = (
                run for run in self._runs if ended not in self._savepoints[run.task_id]
            )
            self._runs = list(kept)


def _open_savepoints(session: Session) -> Iterator[SessionTransaction]:
    transaction = session.get_nested_transaction()
    while transaction is not None:
        yield transaction
        transaction = transaction.parent


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _run_sync(session: Any, call: Callable[[Any], None]) -> None:
    """Call a function with the synchronous form of an AsyncSession or a Session."""
    if hasattr(session, "run_sync"):
        await session.run_sync(call)
    else:
        from fastapi.concurrency import run_in_threadpool

        await run_in_threadpool(call, session)


def call_after_commit(session: Session, call: Callable[[], None]) -> None:
    """Call once when the session's present transaction commits; never if it rolls back."""
    from sqlalchemy import event

    transaction = (
        session.get_nested_transaction() or session.get_transaction() or session.begin()
    )
    calls = [call]

    @event.listens_for(session, "after_commit")
    def after_commit(session: Session) -> None:
        if calls and session.get_nested_transaction() is None:
            calls.pop()()

    @event.listens_for(session, "after_soft_rollback")
    def after_soft_rollback(_session: Session, ended: SessionTransaction) -> None:
        if ended is transaction or ended.parent is None:
            calls.clear()


def task_id_for_key(key: str, *scope: Any) -> str:
    """Return the task_id of an idempotency key, the same in every process."""
    return str(uuid5(NAMESPACE_URL, json.dumps([key, *scope])))

"""A FastAPI application with one table and many ways to enqueue."""

# mypy: disable-error-code="valid-type, unused-ignore"
# The types of sessions are chosen by the test.

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

import fastapi
from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from afterward import Background, BackgroundTasks, EnqueueError, task

ran: list[str] = []


@task("notes.write")
def write(line: str) -> None:
    """Note that this task ran."""
    ran.append(line)


class Base(DeclarativeBase):
    """The application's own tables."""


class Note(Base):
    """A row. Its parent is checked at COMMIT, so that a test can let COMMIT fail."""

    __tablename__ = "notes"

    id: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None] = mapped_column(
        ForeignKey("notes.id", deferrable=True, initially="DEFERRED")
    )


class NoteModel(BaseModel, from_attributes=True):
    """A row in a response."""

    id: str
    parent: str | None


async def finish(result: Any) -> Any:
    """Await what a method of an async session returns."""
    return await result if inspect.isawaitable(result) else result


def as_def(handler: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return a handler that awaits nothing as a `def` function, for a thread."""

    def handle(**arguments: Any) -> Any:
        try:
            handler(**arguments).send(None)
        except StopIteration as result:
            return result.value
        raise AssertionError("the handler awaits something")

    handle.__signature__ = inspect.signature(handler)  # type: ignore[attr-defined]
    return handle


def create_app(
    background: Background, session_dependency: Any, *, is_sync: bool
) -> FastAPI:
    """Return an application whose routes use this session."""
    app = FastAPI(lifespan=background.lifespan)
    background.install(app)
    tasks_dependency = Annotated[BackgroundTasks, background.per_request]

    def post(path: str) -> Callable[[Any], Any]:
        """Add a handler as `def` where the session blocks, else as `async def`."""

        def add(handler: Any) -> Any:
            route = as_def(handler) if is_sync else handler
            return app.post(path, status_code=202)(route)

        return add

    @app.post("/add/{line}", status_code=202)
    async def add(line: str, tasks: tasks_dependency) -> str:
        return tasks.add_task(write, line)

    @app.post("/def/{line}", status_code=202)
    def add_from_def(line: str, tasks: tasks_dependency) -> str:
        return tasks.add_task(write, line)

    @post("/row/{line}")
    async def row(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> NoteModel:
        note = Note(id=line)
        session.add(note)
        tasks.add_task(write, line)
        await finish(session.flush())
        return note  # type: ignore[return-value]  # FastAPI converts it

    @post("/row-last/{line}")
    async def row_last(
        line: str, tasks: tasks_dependency, session: session_dependency
    ) -> None:
        tasks.add_task(write, line)
        session.add(Note(id=line))

    @post("/commit-between/{line}")
    async def commit_between(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add(Note(id=line))
        tasks.add_task(write, f"{line} 1")
        await finish(session.commit())
        tasks.add_task(write, f"{line} 2")

    @post("/raise/{line}")
    async def raise_error(
        line: str, status: int, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add(Note(id=line))
        tasks.add_task(write, line)
        if status == 500:
            raise RuntimeError("the handler failed")
        raise HTTPException(status)

    @post("/commit-then-raise/{line}")
    async def commit_then_raise(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        tasks.add_task(write, f"{line} 1")
        session.add(Note(id=line))
        await finish(session.commit())
        tasks.add_task(write, f"{line} 2")
        raise HTTPException(409)

    @post("/refused-commit/{line}")
    async def refused_commit(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add(Note(id=line, parent="nobody"))
        tasks.add_task(write, line)

    @post("/refused-flush/{line}")
    async def refused_flush(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add_all([Note(id=line), Note(id=line)])
        tasks.add_task(write, line)

    @post("/second-commit-refused/{line}")
    async def second_commit_refused(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add(Note(id=line))
        tasks.add_task(write, f"{line} 1")
        await finish(session.commit())
        session.add(Note(id=f"{line} 2", parent="nobody"))
        tasks.add_task(write, f"{line} 2")

    @post("/swallowed/{line}")
    async def swallowed(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add(Note(id=line, parent="nobody"))
        tasks.add_task(write, line)
        with suppress(Exception):  # and no rollback: the transaction is broken
            await finish(session.commit())

    @post("/rollback/{line}")
    async def rollback(
        line: str, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        session.add(Note(id=line))
        tasks.add_task(write, f"{line} 1")
        await finish(session.rollback())
        tasks.add_task(write, f"{line} 2")

    @post("/savepoint/{line}")
    async def savepoint(
        line: str, keep: bool, session: session_dependency, tasks: tasks_dependency
    ) -> None:
        tasks.add_task(write, f"{line} 1")
        point = await finish(session.begin_nested())
        session.add(Note(id=line))
        tasks.add_task(write, f"{line} 2")
        await finish(point.commit() if keep else point.rollback())
        tasks.add_task(write, f"{line} 3")

    @post("/joined/{line}")
    async def joined(line: str, keep: bool, session: session_dependency) -> None:
        if is_sync:
            with background.tasks(session) as tasks:
                tasks.add_task(write, line)
        else:
            async with background.tasks(session) as tasks:
                tasks.add_task(write, line)
        await finish(session.commit() if keep else session.rollback())

    @app.post("/stream/{line}", status_code=202)
    async def stream(line: str, tasks: tasks_dependency) -> StreamingResponse:
        tasks.add_task(write, f"{line} before")

        async def chunks() -> AsyncIterator[str]:
            try:
                tasks.add_task(write, f"{line} within")
            except EnqueueError as error:
                yield str(error)
            async with background.tasks() as at_end:
                at_end.add_task(write, f"{line} end")

        return StreamingResponse(chunks(), 202)

    @app.websocket("/socket/{line}")
    async def socket(websocket: WebSocket, line: str) -> None:
        await websocket.accept()
        async with background.tasks() as tasks:
            tasks.add_task(write, line)
        await websocket.send_text("enqueued")
        await websocket.close()

    @app.websocket("/wrong-socket/{line}")
    async def wrong_socket(
        websocket: WebSocket, line: str, tasks: tasks_dependency
    ) -> None:
        await websocket.accept()

    async def has_note(line: str, session: session_dependency) -> bool:
        return await finish(session.get(Note, line)) is not None

    app.get("/notes/{line}")(as_def(has_note) if is_sync else has_note)

    @app.post("/own-tasks/{line}", status_code=202)
    async def own_tasks(
        line: str, own: fastapi.BackgroundTasks, tasks: tasks_dependency
    ) -> str:
        own.add_task(ran.append, f"{line} own")
        return tasks.add_task(write, line)

    return app

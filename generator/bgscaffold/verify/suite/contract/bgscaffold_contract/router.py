"""Routes that use the public API correctly, and wrongly."""

# mypy: disable-error-code="import-not-found,untyped-decorator,no-any-return,misc"

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.types import Message, Receive, Scope, Send

from afterward import EnqueueError
from afterward.tasks import TASKS

from ..background import BackgroundTasksDep, background_tasks
from ..database import Base, SessionDep, engine
from . import tasks
from .notes import Note, mark


class Body(BaseModel):
    """The body of a request."""

    number: float = Field(allow_inf_nan=False)


router = APIRouter(prefix="/bgscaffold-contract")


@router.post("/tables", status_code=204)
async def create_tables() -> None:
    """Create the tables of this domain."""
    async with engine().begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@router.get("/tasks")
async def task_names() -> list[str]:
    """Return the tasks that the API knows."""
    return list(TASKS)


@router.post("/notes/def/{line}", status_code=202)
def notes_from_def(line: str, background_tasks: BackgroundTasksDep) -> list[str]:
    """Enqueue both kinds of task from a `def` route."""
    add = background_tasks.add_task
    return [add(tasks.note, f"{line} def"), add(tasks.note_async, line=f"{line} async")]


@router.post("/notes/async/{line}", status_code=202)
async def notes_from_async(
    line: str, background_tasks: BackgroundTasksDep
) -> list[str]:
    """Enqueue both kinds of task from an `async def` route."""
    add = background_tasks.add_task
    return [add(tasks.note, f"{line} def"), add(tasks.note_async, line=f"{line} async")]


@router.post("/show", status_code=202)
async def show(background_tasks: BackgroundTasksDep) -> str:
    """Enqueue values that JSON changes."""
    return background_tasks.add_task(tasks.show, (1, 2), None, a={3: "é"})


@router.post("/wait/{gate}", status_code=202)
async def wait(gate: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that waits for the test."""
    return background_tasks.add_task(tasks.wait, gate)


@router.post("/wait-async/{gate}", status_code=202)
async def wait_async(gate: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue an `async def` task that waits for the test."""
    return background_tasks.add_task(tasks.wait_async, gate)


@router.post("/die/{line}", status_code=202)
async def die(line: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that ends its process."""
    return background_tasks.add_task(tasks.die, line)


@router.post("/slow/{line}", status_code=202)
async def slow(line: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that takes longer than its timeout."""
    return background_tasks.add_task(tasks.slow, line)


@router.post("/options/{line}", status_code=202)
async def options(
    line: str,
    background_tasks: BackgroundTasksDep,
    key: str | None = None,
    delay: float | None = None,
) -> str:
    """Enqueue with options, if the pattern has them."""
    wanted: dict[str, Any] = {}
    if key is not None:
        wanted["key"] = key or None
    if delay:
        wanted["run_at"] = datetime.now(UTC) + timedelta(seconds=delay)
    return background_tasks.options(**wanted).add_task(tasks.note, line)


@router.post("/fail/{line}", status_code=202)
async def fail(line: str, background_tasks: BackgroundTasksDep) -> list[str]:
    """Enqueue three tasks that fail, and a fourth."""
    add = background_tasks.add_task
    return [
        add(tasks.fail, f"{line} fail"),
        add(tasks.leave, f"{line} exit"),
        add(tasks.cancel, f"{line} cancel"),
        add(tasks.note, f"{line} next"),
    ]


@router.post("/flaky/{line}", status_code=202)
async def flaky(line: str, failures: int, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that fails at its first attempts."""
    return background_tasks.add_task(tasks.flaky, line, failures)


@router.post("/chain/{line}", status_code=202)
async def chain(line: str, background_tasks: BackgroundTasksDep) -> str:
    """Enqueue a task that enqueues tasks."""
    return background_tasks.add_task(tasks.chain, line)


@router.post("/number", status_code=202)
async def number(body: Body) -> float:
    """Take a body, which may not be valid JSON."""
    return body.number


@router.post("/wrong/{how}", status_code=202)
async def wrong(
    how: str, request: Request, background_tasks: BackgroundTasksDep
) -> str:
    """Enqueue one good task, then make a wrong call."""
    background_tasks.add_task(tasks.note, f"wrong {how}")
    add: Any = background_tasks.add_task
    calls: dict[str, Callable[[], str]] = {
        "missing": lambda: add(tasks.note),
        "unknown": lambda: add(tasks.note, "x", lines="y"),
        "lambda": lambda: add(lambda: None),
        "unregistered": lambda: add(tasks.not_a_task, "x"),
        "partial": lambda: add(partial(tasks.note, "x")),
        "called": lambda: add(tasks.note("called too early")),
        "request": lambda: add(tasks.show, request),
        "bytes": lambda: add(tasks.show, name=b"x"),
        "nan": lambda: add(tasks.show, float("nan")),
        "endless": lambda: add(tasks.show, _endless()),
        "deep": lambda: add(tasks.show, json.loads("[" * 200 + "]" * 200)),
    }
    return calls[how]()


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@router.post("/raise/{line}", status_code=202)
async def raise_after_adding(
    line: str, status: int, background_tasks: BackgroundTasksDep
) -> str:
    """Enqueue a task, then fail, with an HTTP error or any other."""
    background_tasks.add_task(tasks.note, line)
    if status == 500:
        raise RuntimeError("the handler failed")
    raise HTTPException(status)


@router.post("/flush/{line}", status_code=202)
async def failing_flush(
    line: str, session: SessionDep, background_tasks: BackgroundTasksDep
) -> str:
    """Add rows that the database refuses when they are flushed."""
    session.add_all([Note(id=line), Note(id=line)])
    return background_tasks.add_task(tasks.note, line)


@router.post("/commit/{line}", status_code=202)
async def failing_commit(
    line: str, session: SessionDep, background_tasks: BackgroundTasksDep
) -> str:
    """Write a row that the database refuses at COMMIT."""
    await session.execute(sa.insert(Note).values(id=line, parent="nobody"))
    return background_tasks.add_task(tasks.note, line)


@router.post("/row/{line}", status_code=202)
async def row(
    line: str, session: SessionDep, background_tasks: BackgroundTasksDep
) -> str:
    """Write a row, and enqueue a task that reads it and fails."""
    session.add(Note(id=line))
    return background_tasks.add_task(tasks.read, line)


@router.get("/row/{line}")
async def has_row(line: str, session: SessionDep) -> bool:
    """Return whether the row exists."""
    return await session.get(Note, line) is not None


@router.post("/joined/{line}", status_code=202)
async def joined(line: str, keep: bool, session: SessionDep) -> str:
    """Enqueue in this session's transaction, then commit it or roll it back."""
    async with background_tasks(session=session) as joined_tasks:
        task_id = joined_tasks.add_task(tasks.note, line)
    if not keep:
        await session.rollback()
    return task_id


@router.post("/stream/{line}", status_code=202)
async def stream(line: str, background_tasks: BackgroundTasksDep) -> StreamingResponse:
    """Enqueue before the stream, try to within it, and enqueue at its end."""
    background_tasks.add_task(tasks.note, f"{line} before")
    return StreamingResponse(_chunks(line, background_tasks), 202)


async def _chunks(line: str, during: BackgroundTasksDep) -> AsyncIterator[str]:
    try:
        during.add_task(tasks.note, f"{line} within")
    except EnqueueError as error:
        yield str(error)
    async with background_tasks() as at_end:
        at_end.add_task(tasks.note, f"{line} end")


@router.websocket("/socket/{line}")
async def socket(websocket: WebSocket, line: str) -> None:
    """Enqueue from a WebSocket."""
    await websocket.accept()
    async with background_tasks() as socket_tasks:
        await websocket.send_text(socket_tasks.add_task(tasks.note, line))
    await websocket.close()


@router.post("/sync-with", status_code=202)
async def sync_with_on_the_loop() -> str:
    """Use `with` where `async with` is needed."""
    with background_tasks() as wrong_tasks:
        return wrong_tasks.add_task(tasks.note, "sync with")


class MarkingRoute(APIRoute):
    """Writes a mark when the response has been sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the response of the handler."""
        handle = super().get_route_handler()

        async def handle_and_mark(request: Request) -> Response:
            return _Marked(await handle(request))

        return handle_and_mark


class _Marked(Response):
    def __init__(self, response: Response) -> None:
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_mark(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                mark("order response")

        await self._response(scope, receive, send_and_mark)


ordered = APIRouter(route_class=MarkingRoute)


@ordered.post("/order", status_code=202)
async def order(session: SessionDep, background_tasks: BackgroundTasksDep) -> str:
    """Write a mark at each step."""
    mark("order handler")
    sa.event.listen(session.sync_session, "after_flush", lambda *_: mark("order flush"))
    sa.event.listen(
        session.sync_session, "after_commit", lambda *_: mark("order commit")
    )
    session.add(Note(id="order"))
    return background_tasks.add_task(tasks.note, "order run")


router.include_router(ordered)

"""Applications that bgscaffold has not generated, under every pattern.

A task run that a client was promised exists, and no task run survives a rollback.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from afterward import Background, BackgroundTasks, EnqueueError
from afterward.backends.async_ import Async
from afterward.backends.celery_ import Celery
from afterward.backends.safe import Safe
from afterward.backends.simple import Simple
from afterward.database import configure_sqlite
from afterward.outbox.models import task_runs
from afterward.settings import Settings
from tests.runtime.applications import notes
from tests.runtime.applications.notes import Base, create_app, ran
from tests.runtime.applications.sessions import Sessions
from tests.runtime.conftest import async_engine
from tests.runtime.helpers import wait_for

BACKENDS: dict[str, Callable[[], Any]] = {
    "simple": Simple,
    "async": Async,
    "safe": Safe,
    "celery": Celery,
}
# Every kind of session under safe. The others have the same code up to the rows.
KINDS = {
    "simple": ("usual", "subclassed", "committing", "sync"),
    "async": ("usual", "sync"),
    "safe": (
        *("usual", "subclassed", "committing", "committing late"),
        *("sync", "sync committing"),
    ),
    "celery": ("usual", "committing late", "sync"),
}
COMBINATIONS = [(backend, kind) for backend, kinds in KINDS.items() for kind in kinds]


class Client:
    """A client of a running application, and what its tasks have done."""

    def __init__(
        self, client: TestClient, background: Background, engine: Engine
    ) -> None:
        self.http = client
        self.background = background
        self._engine = engine

    def post(self, path: str, **headers: str) -> int:
        """Send a request, and return the status of the response."""
        return self.http.post(path, headers=headers).status_code

    def lines(self) -> list[str]:
        """Return the arguments of all task runs that exist, or that have run."""
        if not self.background.backend.is_durable:
            return sorted(ran)
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(task_runs.c.arguments))
            return sorted(each.arguments["args"][0] for each in found)

    def assert_runs(self, *lines: str) -> None:
        """Check which task runs exist, and that they run where this process runs them."""
        if self.background.backend.name == "celery":
            wait_for(lambda: self._published() == len(lines), "the wake-ups")
        else:
            wait_for(lambda: len(ran) >= len(lines), f"the tasks {lines}")
            assert sorted(ran) == sorted(lines)
        assert self.lines() == sorted(lines)

    def has_note(self, line: str) -> bool:
        """Return whether a row of the application has been committed."""
        found: bool = self.http.get(f"/notes/{line}").json()
        return found

    def _published(self) -> int:
        with self._engine.connect() as connection:
            count = sa.select(sa.func.count()).where(task_runs.c.publishes > 0)
            return connection.execute(count).scalar_one()


@pytest.fixture
def url(request: pytest.FixtureRequest, migrated: Callable[[str], str]) -> str:
    """Return the database's URL: SQLite, unless the test asks for PostgreSQL."""
    name = getattr(request, "param", "sqlite")
    found: str = request.getfixturevalue(f"{name}_url")
    return migrated(found)


@pytest.fixture
def engines(url: str) -> Iterator[tuple[AsyncEngine, Engine]]:
    """Return the engines of an application, with an empty outbox and no notes."""
    sync_engine, engine = sa.create_engine(url), async_engine(url)
    for each in (sync_engine, engine.sync_engine):
        configure_sqlite(each)
    Base.metadata.create_all(sync_engine)
    ran.clear()
    yield engine, sync_engine
    with sync_engine.begin() as connection:
        connection.execute(task_runs.delete())
        connection.execute(sa.delete(notes.Note))
    sync_engine.dispose()
    asyncio.run(engine.dispose())


@contextmanager
def serve(
    backend: str, engines: tuple[AsyncEngine, Engine], kind: str
) -> Iterator[Client]:
    """Run an application with this backend and this kind of session."""
    engine, sync_engine = engines
    session = Sessions(engine, sync_engine).aliases()[kind]
    background = Background(
        BACKENDS[backend](),
        session=session,
        engine=lambda: engine,
        sync_engine=lambda: sync_engine,
        domains="tests.runtime.applications.domains",
    )
    app = create_app(background, session, is_sync=kind.startswith("sync"))
    with TestClient(app, raise_server_exceptions=False) as http:
        yield Client(http, background, sync_engine)


@pytest.fixture(params=COMBINATIONS, ids="-".join)
def combination(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a backend and a kind of session."""
    backend, kind = request.param
    return backend, kind


@pytest.fixture
def client(
    combination: tuple[str, str],
    engines: tuple[AsyncEngine, Engine],
    settings: Settings,
) -> Iterator[Client]:
    """Return a client of an application."""
    backend, kind = combination
    with serve(backend, engines, kind) as client:
        yield client


def test_a_202_has_a_run_and_the_rows_of_its_request(client: Client) -> None:
    assert client.post("/add/a") == 202
    assert client.post("/def/b") == 202
    response = client.http.post("/row/c")
    assert (response.status_code, response.json()) == (202, {"id": "c", "parent": None})
    assert client.post("/row-last/d") == 202
    assert [client.has_note(line) for line in "cd"] == [True, True]
    client.assert_runs("a", "b", "c", "d")


def test_add_commit_add_makes_two_runs(client: Client) -> None:
    assert client.post("/commit-between/a") == 202
    client.assert_runs("a 1", "a 2")


@pytest.mark.parametrize("status", [409, 500])
def test_a_handler_that_raises_enqueues_nothing(client: Client, status: int) -> None:
    assert client.post(f"/raise/a?status={status}") == status
    assert client.post("/add/later") == 202
    client.assert_runs("later")
    assert not client.has_note("a")


def test_what_was_committed_before_a_raise_runs(client: Client) -> None:
    assert client.post("/commit-then-raise/a") == 409
    client.assert_runs("a 1")
    assert client.has_note("a")


@pytest.mark.parametrize("step", ["refused-commit", "refused-flush", "swallowed"])
def test_a_commit_that_fails_is_no_202_and_enqueues_nothing(
    client: Client, combination: tuple[str, str], step: str
) -> None:
    handles_errors = combination[1].startswith("committing") and step != "swallowed"
    assert client.post(f"/{step}/a") == (409 if handles_errors else 500)
    assert client.post("/row/later") == 202  # no lock is left
    client.assert_runs("later")
    assert not client.has_note("a")


def test_what_was_committed_before_a_commit_that_fails_runs(client: Client) -> None:
    assert client.post("/second-commit-refused/a") in (409, 500)
    client.assert_runs("a 1")


def test_a_rollback_drops_what_was_added_before_it(client: Client) -> None:
    assert client.post("/rollback/a") == 202
    client.assert_runs("a 2")
    assert not client.has_note("a")


@pytest.mark.parametrize("keep", [True, False])
def test_a_savepoint_decides_about_what_was_added_in_it(
    client: Client, keep: bool
) -> None:
    assert client.post(f"/savepoint/a?keep={keep}") == 202
    client.assert_runs("a 1", *(["a 2"] if keep else []), "a 3")
    assert client.has_note("a") is keep


@pytest.mark.parametrize("keep", [True, False])
def test_a_session_of_your_own_decides(client: Client, keep: bool) -> None:
    assert client.post(f"/joined/a?keep={keep}") == 202
    assert client.post("/add/later") == 202
    client.assert_runs(*(["a"] if keep else []), "later")


@pytest.fixture(params=list(BACKENDS))
def usual(
    request: pytest.FixtureRequest,
    engines: tuple[AsyncEngine, Engine],
    settings: Settings,
) -> Iterator[Client]:
    """Return a client of an application with FastAPI's usual session."""
    with serve(request.param, engines, "usual") as client:
        yield client


def test_a_stream_enqueues_before_it_and_at_its_end_but_not_within(
    usual: Client,
) -> None:
    response = usual.http.post("/stream/a")
    remedy = "Use: async with background_tasks() as tasks: tasks.add_task(...)"
    assert response.text.endswith(remedy)
    usual.assert_runs("a before", "a end")


def test_a_websocket_enqueues_with_background_tasks(usual: Client) -> None:
    with usual.http.websocket_connect("/socket/a") as socket:
        assert socket.receive_text() == "enqueued"
    usual.assert_runs("a")


def test_the_dependency_in_a_websocket_names_the_remedy(usual: Client) -> None:
    message = "In a WebSocket use: async with background_tasks"
    with (
        pytest.raises(EnqueueError, match=message),
        usual.http.websocket_connect("/wrong-socket/a"),
    ):
        pass


def test_fastapis_own_background_tasks_still_run(usual: Client) -> None:
    assert usual.post("/own-tasks/a") == 202
    in_process = usual.background.backend.name != "celery"
    expected = ["a", "a own"] if in_process else ["a own"]
    wait_for(lambda: sorted(ran) == expected, "both tasks")
    assert "a" in usual.lines()


def test_code_outside_a_request_enqueues(usual: Client) -> None:
    with usual.background.tasks() as tasks:
        tasks.add_task(notes.write, "from a thread")

    async def enqueue() -> None:
        async with usual.background.tasks() as tasks:
            tasks.add_task(notes.write, "from a loop")

    asyncio.run(enqueue())
    wait_for(lambda: len(usual.lines()) == 2, "both runs")
    usual.assert_runs("from a loop", "from a thread")


def test_with_in_async_code_names_the_remedy(usual: Client) -> None:
    message = "In async code write: async with background_tasks"

    async def enqueue() -> None:
        with usual.background.tasks():
            pass

    with pytest.raises(RuntimeError, match=message):
        asyncio.run(enqueue())
    with (
        pytest.raises(RuntimeError, match=message),
        usual.background.tasks(AsyncSession()),
    ):
        pass


def test_a_block_that_raises_enqueues_nothing(usual: Client) -> None:
    with pytest.raises(ConnectionError), usual.background.tasks() as tasks:
        tasks.add_task(notes.write, "never")
        raise ConnectionError
    assert usual.lines() == []


@pytest.mark.parametrize("backend", ["simple", "safe"])
def test_an_overridden_session_is_the_only_one_of_a_request(
    backend: str, engines: tuple[AsyncEngine, Engine], settings: Settings
) -> None:
    opened: list[AsyncSession] = []
    sessions = Sessions(*engines)
    alias = Annotated[AsyncSession, Depends(sessions.usual)]
    engine, sync_engine = engines

    async def override() -> Any:
        async for session in sessions.usual():
            opened.append(session)
            yield session

    background = Background(
        BACKENDS[backend](),
        session=alias,
        engine=lambda: engine,
        sync_engine=lambda: sync_engine,
        domains="tests.runtime.applications.domains",
    )
    app = create_app(background, alias, is_sync=False)
    app.dependency_overrides[sessions.usual] = override
    with TestClient(app) as http:
        client = Client(http, background, sync_engine)
        assert client.post("/row/a") == 202
        assert len(opened) == 1
        app.dependency_overrides.clear()
        assert client.post("/row/b") == 202
        client.assert_runs("a", "b")


@pytest.mark.parametrize("backend", list(BACKENDS))
def test_an_application_without_a_session_loses_nothing(
    backend: str, engines: tuple[AsyncEngine, Engine], settings: Settings
) -> None:
    engine, sync_engine = engines
    database: dict[str, Any] = {}
    if backend in ("safe", "celery"):
        database["engine"] = lambda: engine
        database["sync_engine"] = lambda: sync_engine
    background = Background(
        BACKENDS[backend](), domains="tests.runtime.applications.domains", **database
    )
    app = FastAPI(lifespan=background.lifespan)
    background.install(app)
    tasks_dependency = Annotated[BackgroundTasks, background.per_request]

    @app.post("/add/{line}", status_code=202)
    async def add(line: str, fails: bool, tasks: tasks_dependency) -> str:
        task_id = tasks.add_task(notes.write, line)
        if fails:
            raise RuntimeError("the handler failed")
        return task_id

    with TestClient(app, raise_server_exceptions=False) as http:
        client = Client(http, background, sync_engine)
        assert client.post("/add/a?fails=true") == 500
        assert client.post("/add/b?fails=false") == 202
        client.assert_runs("b")


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("backend", ["safe", "celery"])
def test_an_idempotency_key_makes_one_run(
    backend: str, engines: tuple[AsyncEngine, Engine], settings: Settings
) -> None:
    with serve(backend, engines, "usual") as client:
        key = {"Idempotency-Key": "k"}
        same = [client.http.post("/add/a", headers=key).json() for _ in range(2)]
        assert same[0] == same[1]
        callers = [
            client.http.post("/add/a", headers={**key, "Authorization": name}).json()
            for name in ("Bearer ada", "Bearer bob", "Bearer ada")
        ]
        assert callers[0] == callers[2]
        assert len({same[0], *callers}) == 3
        client.assert_runs("a", "a", "a")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("backend", ["safe", "celery"])
def test_the_same_holds_on_postgresql(
    backend: str, engines: tuple[AsyncEngine, Engine], settings: Settings
) -> None:
    for kind in ("usual", "committing", "sync"):
        ran.clear()
        with serve(backend, engines, kind) as client:
            assert client.post(f"/row/{kind}") == 202
            assert client.post(f"/commit-then-raise/{kind}-raised") == 409
            refused = 409 if kind == "committing" else 500
            assert client.post(f"/refused-commit/{kind}-refused") == refused
            assert client.post(f"/rollback/{kind}-back") == 202
            for line in (kind, f"{kind}-raised 1", f"{kind}-back 2"):
                assert line in client.lines()
            refused_lines = [line for line in client.lines() if "refused" in line]
            assert refused_lines == []

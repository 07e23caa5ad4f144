"""The routes and error handlers of the package: probes, metrics, errors, /tasks."""

import asyncio
import json
import logging
import os
import socket
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field, SecretStr

from afterward import Background, BackgroundTasks, EnqueueError
from afterward.backend import BackendStatus
from afterward.backends.safe import Safe
from afterward.backends.simple import Simple
from afterward.database import Database
from afterward.observability import logs
from afterward.observability.metrics import get_metrics
from afterward.outbox import queries
from afterward.outbox.models import now
from afterward.settings import Settings
from afterward.web.tasks_api import TaskRoutes
from tests.runtime.helpers import AddTask, Outbox, run_of

DOMAINS = "tests.runtime.applications.domains"


class Order(BaseModel):
    """The body of a request."""

    name: str
    number: float = Field(gt=0)


def add_routes(app: FastAPI) -> FastAPI:
    """Add a route that validates its body."""

    @app.post("/orders/{number}")
    async def order(number: int, body: Order) -> None:
        """Do nothing."""

    return app


@pytest.fixture
def background(database: Database) -> Background:
    """Return an application of pattern safe, which does not run."""
    return Background(
        Safe(),
        engine=lambda: database.engine,
        sync_engine=lambda: database.sync_engine,
        domains=DOMAINS,
    )


@pytest.fixture
def app(background: Background) -> FastAPI:
    """Return its API."""
    app = FastAPI()
    background.install(app)
    return add_routes(app)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Return a client of it."""
    return TestClient(app, raise_server_exceptions=False)


def test_the_probes_of_an_application_that_is_well(client: TestClient) -> None:
    for path in ("live", "ready"):
        response = client.get(f"/health/{path}")
        well = {"status": "ok", "degraded": []}
        assert (response.status_code, response.json()) == (200, well)


def test_ready_names_what_is_degraded(
    client: TestClient, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status() -> BackendStatus:
        return BackendStatus(degraded=["broker"])

    monkeypatch.setattr(background.backend, "status", status)
    response = client.get("/health/ready")
    degraded = {"status": "ok", "degraded": ["broker"]}
    assert (response.status_code, response.json()) == (200, degraded)


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), sa.exc.OperationalError("", {}, Exception())]
)
def test_without_its_database_it_is_alive_but_not_ready(
    client: TestClient,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def raise_error() -> None:
        raise error

    monkeypatch.setattr(database, "_get_engine", raise_error)
    assert client.get("/health/live").json() == {"status": "ok", "degraded": []}
    response = client.get("/health/ready")
    down = {"status": "database down", "degraded": ["database"]}
    assert (response.status_code, response.json()) == (503, down)
    assert client.get("/metrics").status_code == 200


def test_a_bug_in_a_probe_is_not_taken_for_the_database(
    client: TestClient, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status() -> BackendStatus:
        raise ZeroDivisionError

    monkeypatch.setattr(background.backend, "status", status)
    assert client.get("/health/ready").status_code == 500


def test_a_runner_that_starts_nothing_is_degraded(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task()))
    late = now() - timedelta(seconds=queries.LATE_SECONDS + 10)
    outbox.update(task_id, due_at=late)
    assert client.get("/health/ready").json()["degraded"] == ["runner"]
    lines = client.get("/metrics").text.splitlines()
    depth = [line for line in lines if line.startswith("outbox_")]
    assert depth[:3] == [
        'outbox_depth{state="pending"} 1',
        'outbox_depth{state="retrying"} 0',
        'outbox_depth{state="running"} 0',
    ]
    name, seconds = depth[3].split()
    assert (name, float(seconds) >= 40) == ("outbox_oldest_seconds", True)


def test_attempts_are_counted_in_the_metrics(add_task: AddTask) -> None:
    async def fail() -> None:
        raise ValueError("wrong")

    run = run_of(add_task(fail, "metrics.fail"))
    asyncio.run(Simple().start_after_response([run]))
    text = get_metrics().exposition(BackendStatus())
    assert 'task_attempts_total{outcome="failed",task="metrics.fail"} 1.0' in text
    assert 'task_duration_seconds_count{task="metrics.fail"} 1.0' in text
    assert 'task_wait_seconds_count{task="metrics.fail"} 1.0' in text
    assert 'task_running{task="metrics.fail"} 0.0' in text
    assert "outbox_depth" not in text


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_the_metrics_of_a_forked_process_are_added_up() -> None:
    counted = 'task_attempts_total{outcome="succeeded",task="metrics.forked"}'
    attempts = get_metrics().attempts.labels("metrics.forked", "succeeded")
    attempts.inc()
    if (pid := os.fork()) == 0:
        attempts.inc()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert f"{counted} 2.0" in get_metrics().exposition(BackendStatus())


def test_the_metrics_have_a_port_of_their_own_if_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("", 0)) as taken:
        get_metrics().serve(taken.getsockname()[1])
    [message] = caplog.messages
    assert message.startswith("no metrics on port")


def test_a_validation_error_is_fastapis_own(client: TestClient) -> None:
    plain = TestClient(add_routes(FastAPI()))
    requests: list[dict[str, Any]] = [
        {"url": "/orders/x", "json": {"name": 1}},
        {"url": "/orders/1", "json": {"name": "a", "number": 0}},
        {"url": "/orders/1", "content": "{", "headers": JSON},
        {"url": "/orders/1", "content": "", "headers": JSON},
    ]
    for request in requests:
        ours, theirs = (each.post(**request) for each in (client, plain))
        assert (ours.status_code, ours.json()) == (422, theirs.json())
        assert ours.headers["content-type"] == theirs.headers["content-type"]


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("value", ["NaN", "1e999", r'"\ud800"'])
def test_an_input_that_is_not_json_is_a_422_without_it(
    client: TestClient, value: str
) -> None:
    content = '{"name": VALUE, "number": -1}'.replace("VALUE", value)
    response = client.post("/orders/1", content=content, headers=JSON)
    assert response.status_code == 422
    for error in response.json()["detail"]:
        assert set(error) >= {"type", "loc", "msg"}


def test_the_applications_own_error_handlers_are_kept(background: Background) -> None:
    app = add_routes(FastAPI())

    @app.exception_handler(EnqueueError)
    async def handle(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"own": True}, 418)

    background.install(app)
    dependency = Annotated[BackgroundTasks, background.per_request]

    @app.post("/wrong")
    async def wrong(tasks: dependency) -> None:
        tasks.add_task(print)

    response = TestClient(app).post("/wrong")
    assert (response.status_code, response.json()) == (418, {"own": True})


WRONG = "<built-in function print> is not a task. Decorate a function at module level"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_wrong_call_is_a_500_whose_message_production_hides(
    app: FastAPI,
    background: Background,
    settings: Settings,
    environment: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dependency = Annotated[BackgroundTasks, background.per_request]
    settings.environment = environment

    @app.post("/wrong")
    async def wrong(tasks: dependency) -> None:
        tasks.add_task(print)

    response = TestClient(app).post("/wrong")
    detail = response.json()["detail"]
    assert response.status_code == 500
    if environment == "production":
        assert response.json() == {"detail": "Internal Server Error"}
    else:
        assert detail.startswith(WRONG)
    [record] = [each for each in caplog.records if each.name.startswith("afterward")]
    assert record.getMessage().startswith(f"POST /wrong: {WRONG}")
    assert (record.levelname, record.exc_info is None) == ("ERROR", False)


def test_a_key_with_other_arguments_is_a_422_with_its_reason(
    app: FastAPI, background: Background, add_task: AddTask, settings: Settings
) -> None:
    dependency = Annotated[BackgroundTasks, background.per_request]
    settings.environment = "production"

    def show(line: str) -> None:
        """Do nothing."""

    add_task(show, "keys.show")

    @app.post("/keys/{line}", status_code=202)
    async def enqueue(line: str, tasks: dependency) -> str:
        return tasks.options(key="k").add_task(show, line)

    client = TestClient(app)
    answers = [client.post(f"/keys/{line}") for line in ("first", "first", "second")]
    assert [each.status_code for each in answers] == [202, 202, 422]
    assert answers[0].json() == answers[1].json()
    assert answers[2].json() == {
        "detail": "The idempotency key 'k' was used for 'keys.show' with other"
        " arguments. Send the same arguments, or use another key."
    }


def test_a_database_that_is_down_is_a_503(app: FastAPI, client: TestClient) -> None:
    @app.get("/down")
    async def down() -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("down"))

    response = client.get("/down")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json() == {"detail": "The database is busy or down. Try again."}


def test_any_other_error_is_fastapis_own_500(app: FastAPI, client: TestClient) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    response = client.get("/broken")
    assert (response.status_code, response.text) == (500, "Internal Server Error")


@pytest.mark.parametrize(("task_id", "code"), [(uuid4(), 404), ("1", 422)])
def test_the_status_of_what_is_not_a_task_run(
    client: TestClient, task_id: object, code: int
) -> None:
    response = client.get(f"/tasks/{task_id}")
    assert response.status_code == code
    assert client.get(f"/tasks/{task_id}/events").status_code == code
    if code == 404:
        assert response.json() == {"detail": f"There is no task run {task_id}."}


def test_the_status_of_a_task_run(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task(), "a", 1))
    found = client.get(f"/tasks/{task_id}").json()
    assert found.pop("created_at")
    assert found == {
        "task_id": task_id,
        "name": "test.run",
        "state": "pending",
        "attempts": 0,
        "progress": None,
        "progress_note": None,
        "cancel_requested": False,
        "run_at": None,
        "started_at": None,
        "finished_at": None,
        "duration": None,
        "arguments": {"args": ["a", 1], "kwargs": {}},
        "error": None,
        "traceback": None,
    }


def test_cancel_and_retry(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task()))
    states = [
        client.post(f"/tasks/{task_id}/{action}").json().get("state")
        for action in ("cancel", "retry")
    ]
    assert states == ["cancelled", "pending"]
    refused = client.post(f"/tasks/{task_id}/retry")
    assert (refused.status_code, refused.json()) == (
        409,
        {
            "detail": f"Task run {task_id} is pending. This needs a run that is dead"
            " or cancelled."
        },
    )


def test_a_dead_run_that_is_retried_has_all_its_retries(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task(retries=2)))
    for _ in range(3):
        outbox.claim(task_id)
        outbox.end_lease(task_id)
    outbox.update(task_id, state="dead")
    client.post(f"/tasks/{task_id}/retry")
    [claimed] = outbox.claim(task_id)
    assert (claimed.number, claimed.retries_left) == (4, 2)


def test_a_running_run_is_asked_to_end(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task()))
    outbox.claim(task_id)
    found = client.post(f"/tasks/{task_id}/cancel").json()
    assert (found["state"], found["cancel_requested"]) == ("running", True)


def test_the_list_has_pages_and_filters(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    ids = outbox.insert(*(run_of(add_task()) for _ in range(5)))
    outbox.insert(run_of(add_task(name="test.other")))
    listed: list[str] = []
    query = "?name=test.run&state=pending&limit=2"
    page = client.get(f"/tasks{query}").json()
    while page["cursor"]:
        listed += [each["task_id"] for each in page["tasks"]]
        page = client.get(f"/tasks{query}&cursor={page['cursor']}").json()
    listed += [each["task_id"] for each in page["tasks"]]
    assert sorted(listed) == sorted(ids)
    assert len(listed) == 5
    assert client.get("/tasks?state=dead").json() == {"tasks": [], "cursor": None}
    for wrong in ("state=lost", "name=%00", "limit=0", "limit=1001"):
        assert client.get(f"/tasks?{wrong}").status_code == 422


@pytest.mark.parametrize(
    "cursor",
    [
        "no JSON",
        "[" * 20_000,
        '["2026-05-04T03:02:01Z", 5]',
        '["9999-12-31T23:59:59-14:00", "0d1f4c86-0000-4000-8000-000000000000"]',
    ],
)
def test_a_cursor_that_no_page_has_given_is_refused(
    client: TestClient, cursor: str
) -> None:
    encoded = urlsafe_b64encode(cursor.encode()).decode()
    response = client.get(f"/tasks?cursor={encoded}")
    assert response.status_code == 422
    assert response.json()["detail"].endswith("is not a cursor of a page.")


def test_events_are_sent_at_each_change_until_the_end(
    outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    settings.task_sweep = 0.01
    [task_id] = outbox.insert(run_of(add_task()))

    async def read() -> list[str | None]:
        events = TaskRoutes(outbox.database).stream_status(UUID(task_id), admin=True)
        names = [(await anext(events)).event]
        for changes in ({"state": "running"}, {"progress": 0.5}):
            outbox.update(task_id, **changes)
            names.append((await anext(events)).event)
        outbox.update(task_id, state="succeeded", finished_at=now())
        return names + [each.event async for each in events]

    assert asyncio.run(read()) == ["pending", "running", "running", "succeeded"]


def test_events_are_sent_as_server_sent_events(
    client: TestClient, outbox: Outbox, add_task: AddTask
) -> None:
    [task_id] = outbox.insert(run_of(add_task()))
    outbox.update(task_id, state="succeeded", finished_at=now())
    response = client.get(f"/tasks/{task_id}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    event, data = response.text.splitlines()[:2]
    assert event == "event: succeeded"
    assert json.loads(data.removeprefix("data: "))["task_id"] == task_id


@pytest.mark.parametrize(
    ("authorization", "code"),
    [("Bearer grün€", 200), ("Bearer blau", 401), ("", 401)],
)
def test_only_the_bearer_of_the_token_lists(
    client: TestClient, settings: Settings, authorization: str, code: int
) -> None:
    settings.admin_token = SecretStr("grün€")
    sent = {b"Authorization": authorization.encode()}
    assert client.get("/tasks", headers=sent).status_code == code


def test_without_a_token_production_shows_no_details(
    client: TestClient, outbox: Outbox, add_task: AddTask, settings: Settings
) -> None:
    [task_id] = outbox.insert(run_of(add_task(), "secret"))
    assert "secret" in client.get(f"/tasks/{task_id}").text
    settings.environment = "production"
    assert "arguments" not in client.get(f"/tasks/{task_id}").json()
    paths = (("GET", ""), ("POST", f"/{task_id}/retry"), ("POST", f"/{task_id}/cancel"))
    for method, path in paths:
        refused = client.request(method, f"/tasks{path}")
        off = {"detail": "Administration is off until ADMIN_TOKEN is set."}
        assert (refused.status_code, refused.json()) == (403, off)


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Return a function that reads what was logged."""
    yield lambda: capsys.readouterr().err


def test_production_logs_a_line_of_json(settings: Settings, stderr: Any) -> None:
    settings.environment = "production"
    logs.configure()
    extra = {"task": "shop.sell", "color_message": "sold \x1b[36m%d"}
    logging.getLogger("shop").warning("sold %d", 7, extra=extra)
    line = json.loads(stderr())
    assert line.pop("time")
    assert line == {
        "level": "WARNING",
        "logger": "shop",
        "message": "sold 7",
        "task": "shop.sell",
    }


def test_development_logs_text_and_the_setting_decides(
    settings: Settings, stderr: Any
) -> None:
    logs.configure()
    logging.getLogger("shop").warning("sold %d", 7)
    assert stderr().endswith(" WARNING shop: sold 7\n")
    settings.log_format = "json"
    logs.configure()
    logging.getLogger("uvicorn.access").info("GET /")
    assert json.loads(stderr())["message"] == "GET /"
    assert "uvicorn" not in sys.modules or not logging.getLogger("uvicorn").handlers

"""Task runs as a caller and an administrator see them: keys, delays, progress, cancel, retry, lists."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.settings import settings
from tests.servers import Project, wait_for






KEY = {"Idempotency-Key": str(uuid4())}
























@pytest.fixture
def with_token(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a client of an application that has an administrator."""
    monkeypatch.setattr(settings, "admin_token", SecretStr("grün€"))
    yield client


@pytest.mark.parametrize(
    ("authorization", "code"), [("Bearer grün€", 200), ("Bearer blau", 401), ("", 401)]
)
def test_only_the_bearer_of_the_token_lists(
    with_token: TestClient, authorization: str, code: int
) -> None:
    sent = {b"Authorization": authorization.encode()}
    assert with_token.get("/tasks", headers=sent).status_code == code


def test_without_a_token_production_shows_no_details(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = client.post("/actions", json={"action_name": "secret"}).json()["task_id"]
    assert "secret" in client.get(f"/tasks/{task_id}").text
    monkeypatch.setattr(settings, "environment", "production")
    assert "arguments" not in client.get(f"/tasks/{task_id}").json()
    for method, path in (
        ("GET", ""),
        ("POST", f"/{task_id}/retry"),
        ("POST", f"/{task_id}/cancel"),
    ):
        refused = client.request(method, f"/tasks{path}")
        assert (refused.status_code, refused.json()["detail"]) == (
            403,
            "This is off until ADMIN_TOKEN is set.",
        )

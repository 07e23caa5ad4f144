"""The page at `/`, without a browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.documents.files import upload


def test_the_page_escapes_what_users_write(
    client: TestClient, run_enqueued: Callable[[], list[Any]]
) -> None:
    document_id = upload(client, b"A note.\n", '<script>alert("x")</script>.txt')
    run_enqueued()
    response = client.get("/")
    policy = response.headers["content-security-policy"]
    assert policy == "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    assert f'data-id="{document_id}" data-state="ready"' in response.text
    assert "script&gt;.txt" in response.text
    assert "1 passage" in response.text
    assert response.text.count("<script") == 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/page.css", "text/css"),
        ("/page.js", "javascript"),
        ("/page.svg", "image/svg"),
    ],
)
def test_the_page_loads_only_its_own_files(
    client: TestClient, path: str, kind: str
) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', client.get("/").text)
    assert set(loaded) == {"/page.css", "/page.js", "/page.svg"}
    assert kind in client.get(path).headers["content-type"]

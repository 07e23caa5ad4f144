"""The page at `/`, without a browser."""

import re

import pytest
from fastapi.testclient import TestClient

from tests.documents.conftest import Process


def test_it_shows_the_documents_and_runs_nothing_that_they_say(
    client: TestClient, processed: Process
) -> None:
    done = processed(b"A note.\n", '<script>alert("x")</script>.txt')
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert f'data-id="{done["id"]}" data-state="ready"' in page.text
    assert "script&gt;.txt" in page.text
    assert "1 passage" in page.text
    assert page.text.count("<script") == 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/page.css", "text/css"), ("/page.js", "javascript"), ("/page.svg", "image/svg")],
)
def test_it_brings_all_that_it_loads(client: TestClient, path: str, kind: str) -> None:
    page = client.get("/").text
    assert path in re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert "//" not in "".join(re.findall(r'(?:src|href)="([^"]+)"', page))
    assert kind in client.get(path).headers["content-type"]

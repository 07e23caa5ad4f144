"""The embedder that calls an endpoint with OpenAI's API."""

import json
import socket
import traceback
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr, ValidationError

from app.documents import embedder
from app.documents.embedder import EmbedderError, OpenAIEmbedder
from app.documents.settings import DocumentSettings, settings

KEY = "sk-this-is-secret"
ONE_EACH = "the response does not have one vector for each text"
NUMBERS = "the response has no vectors of numbers"


def respond(
    monkeypatch: pytest.MonkeyPatch, response: httpx2.Response
) -> list[httpx2.Request]:
    """Let the endpoint respond, and return the requests."""
    requests: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return response

    transport = httpx2.MockTransport(handle)
    client = partial(httpx2.Client, transport=transport)
    monkeypatch.setattr(httpx2, "Client", client)
    return requests


def vectors_of(*embeddings: Any) -> str:
    """Return a response with these vectors, the last one first."""
    data = [{"index": n, "embedding": each} for n, each in enumerate(embeddings)]
    return json.dumps({"data": data[::-1]})


def test_each_text_gets_its_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    response = httpx2.Response(200, text=vectors_of([1, 0], [0.5, -1.5]))
    requests = respond(monkeypatch, response)
    monkeypatch.setattr(settings, "embedder_url", "http://embedder/v1/")
    monkeypatch.setattr(settings, "embedder_key", SecretStr(KEY))
    assert OpenAIEmbedder().embed(["one", "two"]) == [[1.0, 0.0], [0.5, -1.5]]
    [request] = requests
    assert str(request.url) == "http://embedder/v1/embeddings"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = {"model": "text-embedding-3-small", "input": ["one", "two"]}
    assert json.loads(request.content) == body


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, "", "HTTP 500"),
        (302, "", "HTTP 302"),
        (200, "<html>Welcome</html>", NUMBERS),
        (200, '{"data": null}', NUMBERS),
        (200, vectors_of([1, 0], ["a", "b"]), NUMBERS),
        (200, vectors_of([1, 0], [0, float("nan")]), NUMBERS),
        (200, vectors_of([1, 0], [0, float("-inf")]), NUMBERS),
        (200, vectors_of([1, 0], [0, 1e39]), NUMBERS),
        (200, vectors_of([], []), NUMBERS),
        (200, vectors_of(), ONE_EACH),
        (200, vectors_of([1, 0]), ONE_EACH),
        (200, vectors_of([1, 0], [0, 1], [1, 1]), ONE_EACH),
        (200, vectors_of([1, 0], [0, 1, 1]), ONE_EACH),
    ],
)
def test_a_wrong_response_is_an_error_with_a_reason(
    status: int, body: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond(monkeypatch, httpx2.Response(status, text=body))
    with pytest.raises(EmbedderError) as error:
        OpenAIEmbedder().embed(["one", "two"])
    assert str(error.value) == f"The embedder failed ({reason})."


@pytest.mark.parametrize(
    ("url", "reason"),
    [("garbage", "UnsupportedProtocol"), ("http://[::1", "InvalidURL")],
)
def test_a_search_without_an_embedder_is_503(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str,
    reason: str,
) -> None:
    monkeypatch.setattr(settings, "embedder_url", url)
    monkeypatch.setattr(embedder, "_load", OpenAIEmbedder)
    response = client.get("/documents/search?q=granite")
    detail = f"The embedder failed ({reason})."
    assert (response.status_code, response.json()) == (503, {"detail": detail})
    logged = [(r.getMessage(), r.exc_info) for r in caplog.records if "app" in r.name]
    assert logged == [(f"a search failed: {detail}", None)]


def test_an_invalid_key_is_in_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "embedder_key", SecretStr(f"{KEY}\n"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr(settings, "embedder_url", f"http://127.0.0.1:{port}")
        with pytest.raises(EmbedderError) as error:
            OpenAIEmbedder().embed(["text"])
    assert str(error.value) == "The embedder failed (LocalProtocolError)."
    assert KEY not in "".join(traceback.format_exception(error.value))


def test_a_key_loses_its_line_break() -> None:
    key = DocumentSettings.model_validate({"embedder_key": f" {KEY}\r\n"}).embedder_key
    assert key
    assert (key.get_secret_value(), str(key)) == (KEY, "**********")


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY}\0", f"{KEY}é"])
def test_an_invalid_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="embedder_key") as error:
        DocumentSettings.model_validate({"embedder_key": key})
    assert KEY not in str(error.value)

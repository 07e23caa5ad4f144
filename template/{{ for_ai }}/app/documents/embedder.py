"""Embedders: what makes a vector of a text, so that texts of like meaning lie close together.

Another one is a class with `name` and `embed`, and a line in `_load`. Each document remembers whose
vectors it has: after a change of the embedder, upload it again.
"""

from functools import cache
from pathlib import Path
from typing import Any, Protocol

import anyio
import httpx2

from app.documents.settings import settings

_loading = anyio.CapacityLimiter(1)


class Embedder(Protocol):
    """Makes vectors of texts. It may block: it is called in a thread."""

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text."""


class WordLlama:
    """A model of 16 MB inside the package `wordllama`: no key, no network, thousands a second."""

    def __init__(self) -> None:
        import wordllama  # takes a moment, so not before the first text comes

        # Its loader looks beside the folder where the package keeps them, and would download them.
        folder = Path(wordllama.__file__).parent
        self._model: Any = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return a vector of 256 numbers for each text."""
        vectors: list[list[float]] = self._model.embed(texts, norm=True).tolist()
        return vectors


class OpenAI:
    """An endpoint that speaks OpenAI's API: EMBEDDER_URL, EMBEDDER_MODEL, EMBEDDER_KEY."""

    def __init__(self) -> None:
        key = settings.embedder_key
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._client = httpx2.Client(base_url=settings.embedder_url, headers=headers, timeout=30)

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors that the endpoint gives."""
        body = {"model": settings.embedder_model, "input": texts}
        answer = self._client.post("embeddings", json=body).raise_for_status().json()
        return [each["embedding"] for each in sorted(answer["data"], key=lambda one: one["index"])]


def name() -> str:
    """Return the name of the embedder that the settings ask for."""
    if settings.embedder == "wordllama":
        return "wordllama l2_supercat_256"
    return f"{settings.embedder_model} of {settings.embedder_url}"[:200]


async def embed(texts: list[str]) -> list[list[float]]:
    """Return a vector for each text. The first call of a process loads the embedder."""
    embedder = await anyio.to_thread.run_sync(_load, limiter=_loading)
    return await anyio.to_thread.run_sync(embedder.embed, texts)


@cache
def _load() -> Embedder:
    return WordLlama() if settings.embedder == "wordllama" else OpenAI()

"""Embedders: what makes a vector of a text, so that texts of like meaning lie close together.

Another one is a class with `name` and `embed`, and a line in `_load`. Each document remembers whose
vectors it has: after a change of the embedder, upload it again.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Protocol

import anyio
import httpx2
from pydantic import BaseModel, Field, ValidationError

from app.documents.settings import settings

LARGEST = 3.4e38  # of the numbers that fit into the 4 bytes which databases have for each
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
_loading = anyio.CapacityLimiter(1)


class EmbedderError(Exception):
    """The embedder gave no vectors: `why` says what it did, and nothing of what it was sent."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The embedder failed ({why}).")
        self.why = why


class Embedder(Protocol):
    """Makes vectors of texts. It may block: it is called in a thread."""

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, or raise an EmbedderError."""


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


class Vector(BaseModel):
    """What an endpoint makes of one text."""

    index: int
    embedding: list[Number] = Field(min_length=1)


class Vectors(BaseModel):
    """What an endpoint answers."""

    data: list[Vector]


class OpenAI:
    """An endpoint that speaks OpenAI's API: EMBEDDER_URL, EMBEDDER_MODEL, EMBEDDER_KEY."""

    def __init__(self) -> None:
        key = settings.embedder_key
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._client = httpx2.Client(headers=headers, timeout=30)

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors that the endpoint gives."""
        found = sorted(self._answer(texts).data, key=lambda one: one.index)
        vectors = [each.embedding for each in found]
        if len(vectors) != len(texts) or len(set(map(len, vectors))) != 1:
            raise EmbedderError("it does not answer with a vector for each text")
        return vectors

    def _answer(self, texts: list[str]) -> Vectors:
        url = f"{settings.embedder_url.rstrip('/')}/embeddings"
        body = {"model": settings.embedder_model, "input": texts}
        try:  # `from None`: what httpx2 says of a header is all that stands in it, the key too
            answer = self._client.post(url, json=body).raise_for_status()
            return Vectors.model_validate_json(answer.content)
        except httpx2.HTTPStatusError as error:
            raise EmbedderError(f"HTTP {error.response.status_code}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise EmbedderError(type(error).__name__) from None
        except ValidationError:
            raise EmbedderError("it does not answer with vectors of numbers") from None


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

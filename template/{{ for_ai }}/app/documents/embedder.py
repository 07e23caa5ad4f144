"""Embedders turn a text into a vector. Texts of similar meaning have near vectors.

To add one, write a class with `embed` and return it in `_load`. Each document records
the embedder of its vectors. After a change of the embedder, upload it again.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Protocol

import anyio
import httpx2
from pydantic import BaseModel, Field, ValidationError

from app.documents.settings import settings

MAX_FLOAT32 = 3.4e38  # databases store the numbers of a vector in 4 bytes
Float32 = Annotated[float, Field(ge=-MAX_FLOAT32, le=MAX_FLOAT32)]
_load_once = anyio.CapacityLimiter(1)


class EmbedderError(Exception):
    """The embedder returned no vectors. The reason never contains what was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The embedder failed ({reason}).")
        self.reason = reason


class Embedder(Protocol):
    """Turns texts into vectors. It may block, because it runs in a thread."""

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, or raise an EmbedderError."""
        ...


class WordLlamaEmbedder:
    """A model of 16 MB inside the package `wordllama`: no key, no network."""

    def __init__(self) -> None:
        import wordllama  # slow, so it waits for the first text

        # By default the loader looks in another folder, and would download the model.
        folder = Path(wordllama.__file__).parent
        self._model: Any = wordllama.WordLlama.load(
            cache_dir=folder, disable_download=True
        )

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return a vector of 256 numbers for each text."""
        vectors: list[list[float]] = self._model.embed(texts, norm=True).tolist()
        return vectors


class VectorResponse(BaseModel):
    """The vector of one text, in an endpoint's response."""

    index: int
    embedding: list[Float32] = Field(min_length=1)


class EmbeddingsResponse(BaseModel):
    """The response of an endpoint."""

    data: list[VectorResponse]


class OpenAIEmbedder:
    """An endpoint with OpenAI's API: EMBEDDER_URL, EMBEDDER_MODEL, EMBEDDER_KEY."""

    def __init__(self) -> None:
        headers: dict[str, str] = {}
        if settings.embedder_key:
            key = settings.embedder_key.get_secret_value()
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx2.Client(headers=headers, timeout=30)

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return the endpoint's vectors, in the order of the texts."""
        response = self._request(texts)
        in_order = sorted(response.data, key=lambda vector: vector.index)
        vectors = [vector.embedding for vector in in_order]
        lengths = {len(vector) for vector in vectors}
        if len(vectors) != len(texts) or len(lengths) != 1:
            raise EmbedderError("the response does not have one vector for each text")
        return vectors

    def _request(self, texts: list[str]) -> EmbeddingsResponse:
        url = f"{settings.embedder_url.rstrip('/')}/embeddings"
        body = {"model": settings.embedder_model, "input": texts}
        try:  # `from None`: an error of httpx2 can contain the header with the key
            response = self._client.post(url, json=body)
            response.raise_for_status()
            return EmbeddingsResponse.model_validate_json(response.content)
        except httpx2.HTTPStatusError as error:
            raise EmbedderError(f"HTTP {error.response.status_code}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise EmbedderError(type(error).__name__) from None
        except ValidationError:
            raise EmbedderError("the response has no vectors of numbers") from None


def embedder_name() -> str:
    """Return the name of the configured embedder, as documents record it."""
    if settings.embedder == "wordllama":
        return "wordllama l2_supercat_256"
    return f"{settings.embedder_model} of {settings.embedder_url}"[:200]


async def embed(texts: list[str]) -> list[list[float]]:
    """Return a vector for each text. The first call of a process loads the embedder."""
    embedder = await anyio.to_thread.run_sync(_load, limiter=_load_once)
    return await anyio.to_thread.run_sync(embedder.embed, texts)


@cache
def _load() -> Embedder:
    return WordLlamaEmbedder() if settings.embedder == "wordllama" else OpenAIEmbedder()

"""A domain that is added to the server: through it a test chooses the language model."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from threading import Thread

from fastapi import APIRouter, FastAPI

from app.chat import model
from app.chat.settings import settings
from app.documents import embedder


def warm_up() -> None:
    """Load now what the first question would wait for: the tests that need no server still run."""
    import_module("pydantic_ai.models.openai")
    embedder._load()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Do so beside what the server does."""
    Thread(target=warm_up, daemon=True).start()
    yield


router = APIRouter(lifespan=lifespan)


@router.put("/choice", status_code=204)
async def choose(variables: dict[str, str]) -> None:
    """Begin anew with these variables, as a process would that is started with them."""
    os.environ.update(variables)
    settings.__init__()  # type: ignore[misc]  # so Pydantic says how to read them again
    model._agent.cache_clear()

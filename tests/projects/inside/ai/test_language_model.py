"""What a language model gets. Pydantic AI's FunctionModel replaces the real one."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel

from app.chat import language_model
from app.chat.settings import settings
from tests.chat.test_chat import QUESTION, ask, text_of
from tests.documents.files import MARKDOWN, upload

Prompts = list[list[ModelMessage]]


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Prompts]:
    """Answer every question in the same way, and return what the model was sent."""
    prompts: Prompts = []

    async def answer(
        messages: list[ModelMessage], _info: AgentInfo
    ) -> AsyncIterator[str]:
        prompts.append(messages)
        yield "Of granite."
        if "Fail" in str(messages[-1]):
            raise ConnectionError("the secret key")

    model = FunctionModel(stream_function=answer)
    monkeypatch.setattr(settings, "llm_model", "test:model")
    monkeypatch.setattr(language_model, "_model", lambda: model)
    language_model.get_agent.cache_clear()
    yield prompts
    language_model.get_agent.cache_clear()


def test_a_model_gets_passages_and_history(
    client: TestClient, run_enqueued: Callable[[], list[Any]], prompts: Prompts
) -> None:
    upload(client, MARKDOWN, "harbour.md")
    run_enqueued()
    conversation_id = str(uuid4())
    assert text_of(ask(client, QUESTION, conversation_id)) == "Of granite."
    run_enqueued()
    ask(client, "Are you sure?", conversation_id)
    first, second = prompts
    assert "The lighthouse is built of granite." in str(first[-1].parts[-1])
    assert [message.kind for message in second] == ["request", "response", "request"]


@pytest.mark.usefixtures("enqueued", "prompts")
def test_a_failing_model_ends_the_answer_without_its_message(
    client: TestClient,
) -> None:
    detail = "There is no answer (ConnectionError)."
    last = ask(client, "Fail!", str(uuid4()))[-1]
    assert last == {"type": "error", "detail": detail}

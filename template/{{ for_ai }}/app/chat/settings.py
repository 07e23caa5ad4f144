"""Settings of the domain `chat`."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.documents.settings import Key
from app.refusals import told_briefly
from app.settings import FROM_ENVIRONMENT


class ChatSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = FROM_ENVIRONMENT

    # embedded: no model at all, it quotes what the search finds. Others as Pydantic AI spells them:
    # openai:gpt-5.2, anthropic:... (with its package), openai-chat:NAME for what speaks OpenAI's API
    llm_model: str = Field(default="embedded", pattern=r"^(embedded|[a-z0-9-]+:\S+)$")
    llm_api_key: Key | None = None  # left empty: the variable that the provider itself reads
    llm_base_url: str | None = None  # left empty: the provider's own; Ollama: http://host:11434/v1
    chat_passages: int = Field(default=4, ge=1)  # that the search adds to a question
    chat_history: int = Field(default=6, ge=0)  # earlier questions and answers that it is sent with


with told_briefly():
    settings = ChatSettings()

"""Settings of the domain `chat`."""

from pydantic import Field
from pydantic_settings import BaseSettings

from afterward.settings import FROM_ENVIRONMENT, load_settings
from app.documents.settings import ApiKey


class ChatSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = FROM_ENVIRONMENT

    # none: no model, the answer quotes the best passage. Others as Pydantic AI names
    # them: openai:gpt-5.2, or openai-chat:NAME for an API like OpenAI's
    llm_model: str = Field(default="none", pattern=r"^(none|[a-z0-9-]+:\S+)$")
    llm_api_key: ApiKey | None = None  # empty: the provider reads its own variable
    llm_base_url: str | None = None  # empty: the provider's own
    chat_passages: int = Field(default=4, ge=1)  # that are sent with a question
    chat_history: int = Field(default=6, ge=0)  # earlier questions sent with it


settings = load_settings(ChatSettings)

"""Settings of the domain `documents`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Secret, StringConstraints
from pydantic_settings import BaseSettings

from afterward.settings import FROM_ENVIRONMENT, Seconds, load_settings

# A key is sent in a header, which allows no line break. Files and pipes end with one.
HEADER_TEXT = StringConstraints(strip_whitespace=True, pattern="^[!-~]+$")
ApiKey = Secret[Annotated[str, HEADER_TEXT]]


class DocumentSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = FROM_ENVIRONMENT

    # Every process reads and writes here. Several machines need a shared file system.
    documents_folder: Path = Path("var/documents")
    document_max_bytes: int = Field(default=20_000_000, gt=0)  # of one upload
    document_max_chunks: int = Field(default=10_000, gt=0)  # of one document: 8 MB
    document_timeout: Seconds = 60  # of CPU time to read one document
    # wordllama: a small model inside its package. openai: an API like OpenAI's
    embedder: Literal["wordllama", "openai"] = "wordllama"
    embedder_url: str = "https://api.openai.com/v1"
    embedder_model: str = "text-embedding-3-small"
    embedder_key: ApiKey | None = None


settings = load_settings(DocumentSettings)

"""Settings of the domain `documents`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Secret, StringConstraints
from pydantic_settings import BaseSettings

from app.refusals import told_briefly
from app.settings import FROM_ENVIRONMENT, Seconds

# It goes into a header, where no line break may stand: files and pipes leave one at its end
Key = Secret[Annotated[str, StringConstraints(strip_whitespace=True, pattern="^[!-~]+$")]]


class DocumentSettings(BaseSettings):
    """Read from the environment and `.env`."""

    model_config = FROM_ENVIRONMENT

    # Every process reads and writes it: on several machines a file system that they share
    documents_folder: Path = Path("var/documents")
    document_max_bytes: int = Field(default=20_000_000, gt=0)  # of one upload
    document_max_chunks: int = Field(default=10_000, gt=0)  # of one document: 8 MB of text
    document_timeout: Seconds = 60  # of computing to read one
    # wordllama: a small model inside its package; openai: any endpoint that speaks OpenAI's API
    embedder: Literal["wordllama", "openai"] = "wordllama"
    embedder_url: str = "https://api.openai.com/v1"
    embedder_model: str = "text-embedding-3-small"
    embedder_key: Key | None = None


with told_briefly():
    settings = DocumentSettings()

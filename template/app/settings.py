"""Settings of the application: read from the environment and `.env`, checked at start."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.refusals import told_briefly

FROM_ENVIRONMENT = SettingsConfigDict(
    env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
)
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """What the whole application needs to know; each room keeps its own beside its code."""

    model_config = FROM_ENVIRONMENT

    environment: Literal["production", "development"] = "production"
    # Left empty: json in production, text in development
    log_format: Literal["json", "text"] | None = None
    # PostgreSQL: postgresql+psycopg://user:password@host/name
    database_url: str = "sqlite:///var/app.db"
    # Left empty, mail is written to var/mail/ instead of being sent: smtp://user:password@host:587
    smtp_url: str | None = None
    action_log: Path = Path("var/actions.log")
    # Who sends it as a bearer token is an administrator. Left empty: everybody, in development only
    admin_token: SecretStr | None = None

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, url: str) -> str:
        """Take what platforms call postgres://, and refuse what would fail later, or keep nothing."""
        scheme, colon, rest = url.partition(":")
        if scheme in ("postgres", "postgresql"):
            url = f"postgresql+psycopg:{rest}"
        driver, database = _parts(url)
        if driver not in ("sqlite", "postgresql+psycopg") or database in (None, "", ":memory:"):
            told = f"{scheme}:..." if colon else "it"
            raise ValueError(f"{told} is not sqlite:///FILE or postgresql://HOST/NAME")
        return url


def _parts(url: str) -> tuple[str, str | None]:
    try:
        made = make_url(url)
    except ArgumentError:
        return "", None
    return made.drivername, made.database


with told_briefly():
    settings = Settings()

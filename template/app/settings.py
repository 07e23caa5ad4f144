"""Settings of the application: read from the environment and `.env`, checked at start."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.refusals import RefusesToStart, told_briefly

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
        told = shown(url)
        scheme, _, rest = url.partition(":")
        if scheme in ("postgres", "postgresql"):
            url = f"postgresql+psycopg:{rest}"
        driver, database = _parts(url)
        if driver not in ("sqlite", "postgresql+psycopg") or database in (None, "", ":memory:"):
            raise ValueError(f"{told} is not sqlite:///FILE or postgresql://HOST/NAME")
        return url

    @field_validator("smtp_url")
    @classmethod
    def _names_a_server(cls, url: str | None) -> str | None:
        """Refuse an address without a host: mail would leave through whatever runs on localhost."""
        if url and not (is_address(url, "smtp", "smtps") and urlsplit(url).hostname):
            raise ValueError(f"{shown(url)} is not smtp://HOST:PORT or smtps://HOST:PORT")
        return url


def is_address(url: str, *schemes: str) -> bool:
    """Tell whether a URL has one of these schemes and, if it names a port, one that there can be."""
    try:
        return url.partition("://")[0] in schemes and urlsplit(url).port != 0
    except ValueError:
        return False


def shown(url: str) -> str:
    """Return the part of a URL that holds no password."""
    scheme, colon, _ = url.partition(":")
    return f"{scheme}:..." if colon else "it"


def _parts(url: str) -> tuple[str, str | None]:
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        return "", None
    return made.drivername, made.database


def _load() -> Settings:
    """Read the settings; those of the rooms are read after them, from the same file.

    Raises:
        RefusesToStart: `.env` is not UTF-8.
    """
    try:
        return Settings()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RefusesToStart(f".env is not UTF-8, in line {line}. Save it as UTF-8.") from None


with told_briefly():
    settings = _load()

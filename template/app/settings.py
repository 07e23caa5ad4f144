"""Settings of the application, read from the environment and `.env`.

The settings of the background tasks are in `afterward/settings.py`.
"""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import field_validator
from pydantic_settings import BaseSettings
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from afterward.settings import FROM_ENVIRONMENT, is_url, load_settings, without_secrets


class Settings(BaseSettings):
    """What the whole application needs. A domain can have settings of its own."""

    model_config = FROM_ENVIRONMENT

    # PostgreSQL: postgresql+psycopg://user:password@host/name
    database_url: str = "sqlite:///var/app.db"
    # smtp://user:password@host:587. Empty: mail is written to var/mail/
    smtp_url: str | None = None
    action_log: Path = Path("var/actions.log")

    @field_validator("database_url")
    @classmethod
    def check_database(cls, url: str) -> str:
        """Accept the postgres:// of hosting platforms. Refuse databases in memory."""
        scheme, _, rest = url.partition(":")
        psycopg = f"postgresql+psycopg:{rest}"
        full_url = psycopg if scheme in ("postgres", "postgresql") else url
        try:
            parsed = make_url(full_url)
        except (ArgumentError, ValueError):  # ValueError: the port is not a number
            parsed = None
        is_supported = parsed and (
            parsed.drivername in ("sqlite", "postgresql+psycopg")
            and parsed.database not in (None, "", ":memory:")
        )
        if not is_supported:
            shown = without_secrets(url)
            raise ValueError(f"{shown} is not sqlite:///FILE or postgresql://HOST/NAME")
        return full_url

    @field_validator("smtp_url")
    @classmethod
    def check_smtp(cls, url: str | None) -> str | None:
        """Require a host, because the default is whatever runs on localhost."""
        if url and not (is_url(url, "smtp", "smtps") and urlsplit(url).hostname):
            shown = without_secrets(url)
            raise ValueError(f"{shown} is not smtp://HOST:PORT or smtps://HOST:PORT")
        return url


settings = load_settings(Settings)

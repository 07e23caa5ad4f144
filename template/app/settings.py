"""Settings of the application: read from the environment and `.env`, checked at start."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the whole application needs to know; each room keeps its own beside its code."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

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


settings = Settings()

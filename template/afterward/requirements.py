"""The packages that each backend and feature needs. The project's pyproject lists them."""

from importlib.util import find_spec

from afterward.errors import StartupError

# Importable module -> package on PyPI
DATABASE = {"sqlalchemy": "sqlalchemy[asyncio]", "alembic": "alembic"}
REQUIREMENTS: dict[str, dict[str, str]] = {
    "base": {
        "anyio": "anyio",
        "fastapi": "fastapi",
        "pydantic": "pydantic",
        "pydantic_settings": "pydantic-settings",
        "prometheus_client": "prometheus-client",
        "pythonjsonlogger": "python-json-logger",
    },
    "simple": {},
    "async": {},
    "safe": DATABASE,
    "celery": {**DATABASE, "celery": "celery[redis]"},
    "schedule": {"apscheduler": "apscheduler", "cronsim": "cronsim"},
}
REMEDIES = {"schedule": "bgscaffold update --with-schedule"}


def require(feature: str, needed_by: str) -> None:
    """Check that the packages of a backend or feature are installed.

    Args:
        feature: A key of `REQUIREMENTS`.
        needed_by: The subject of the message, such as "Pattern celery".

    Raises:
        StartupError: It names the missing package and the remedy.
    """
    for module, package in REQUIREMENTS[feature].items():
        if find_spec(module) is None:
            raise StartupError(
                f"{needed_by} needs {package}, which is not installed. Run:"
                f" {REMEDIES.get(feature, 'uv sync')}"
            )


def explain(error: ModuleNotFoundError) -> Exception:
    """Return an error that names the package of a missing module, and the remedy."""
    package = REQUIREMENTS["base"].get(error.name or "")
    if package is None:
        return error
    return StartupError(
        f"afterward needs {package}, which is not installed. Run: uv sync"
    )

"""The packages that each backend and feature needs. The project's pyproject lists them."""

from importlib.util import find_spec

from afterward.errors import StartupError

# Importable module -> package on PyPI
REQUIREMENTS: dict[str, dict[str, str]] = {
    "simple": {},
    "async": {},
    "safe": {"sqlalchemy": "sqlalchemy[asyncio]", "alembic": "alembic"},
    "celery": {
        "sqlalchemy": "sqlalchemy[asyncio]",
        "alembic": "alembic",
        "celery": "celery[redis]",
    },
    "schedule": {"apscheduler": "apscheduler", "cronsim": "cronsim"},
}
REMEDIES = {"schedule": "bgscaffold update --with-schedule"}


def require(feature: str, who: str) -> None:
    """Check that the packages of a backend or feature are installed.

    Args:
        feature: A key of `REQUIREMENTS`.
        who: The subject of the message.

    Raises:
        StartupError: It names the missing package and the remedy.
    """
    for module, package in REQUIREMENTS[feature].items():
        if find_spec(module) is None:
            remedy = REMEDIES.get(feature, "uv sync")
            raise StartupError(
                f"{who} needs {package}, which is not installed. Run: {remedy}"
            )

"""Scheduled cleaning."""

from app.background import task


@task("cleaning.prune", cron="0 3 * * *")
def prune() -> None:
    """Remove old files."""

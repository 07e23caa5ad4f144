"""Tasks of the domain actions."""

from app.background import task


@task("actions.record")
def record(value: str) -> None:
    """Process one actions."""
    print("actions", value)

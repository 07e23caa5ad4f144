"""Tasks of the domain signup."""

from app.background import task


@task("signup.send_welcome")
def send_welcome(value: str) -> None:
    """Process one signup."""
    print("signup", value)

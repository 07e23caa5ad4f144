"""Writing the Alembic revision for a newer schema of the outbox."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from afterward.database import Database
from afterward.errors import StartupError
from afterward.outbox.migrations import STEPS, present_version

UPGRADE = "    migrations.upgrade(since={since}, to={to})"


def write_revision(database: Database, project: Path) -> str:
    """Write one revision on the project's present head.

    Args:
        database: The database whose schema is read.
        project: The folder of pyproject.toml.

    Returns:
        A sentence for the user.
    """
    since, to = present_version(database), len(STEPS)
    if since >= to:
        return f"The outbox's schema has version {since}, the newest. Nothing to do."
    config = Config(toml_file=str(project / "pyproject.toml"))
    script = command.revision(config, message=f"afterward schema {to}")
    assert not isinstance(script, list)
    assert script
    file = Path(script.path)
    file.write_text(_with_upgrade(file.read_text("utf-8"), since, to), "utf-8")
    return f"Wrote {file.name}. Read it, and run: uv run poe migrate"


def _with_upgrade(text: str, since: int, to: int) -> str:
    """Fill the empty functions of Alembic's own file."""
    for empty, filled in {
        "from alembic import op": "from afterward.outbox import migrations",
        "    pass": UPGRADE.format(since=since, to=to),
    }.items():
        if empty not in text:
            raise StartupError(
                f"script.py.mako has no line {empty!r}. Write a revision by hand that"
                f" calls afterward.outbox.migrations.upgrade(since={since}, to={to})."
            )
        text = text.replace(empty, filled, 1)
    return text

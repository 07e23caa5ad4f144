"""Writing the Alembic revision for a newer schema of the outbox."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from afterward.database import Database
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
    ScriptDirectory.from_config(config).get_revision(script.revision)
    return f"Wrote {file.name}. Read it, and run: uv run poe migrate"


def _with_upgrade(text: str, since: int, to: int) -> str:
    """Fill the empty functions of Alembic's own file."""
    upgrade = UPGRADE.format(since=since, to=to)
    text = text.replace("    pass", upgrade, 1)
    return text.replace(
        "from alembic import op", "from afterward.outbox import migrations", 1
    )

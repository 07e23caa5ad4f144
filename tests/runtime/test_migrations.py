"""The schema: frozen steps, versions, and the command that writes the next migration."""

import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from afterward.database import Database
from afterward.errors import StartupError
from afterward.outbox import migrations, revision
from tests.helpers import ROOT

FROZEN = {
    "sqlite": "b987e75752045b7e11d7d7e4b9dfb964525ffb56ac0dd0f6f858004c20b0b7a1",
    "postgresql": "9102c8e0670013055093cd109b5303bad06cba107cb929ba3e3110a3e8d5cd2d",
}


def ddl(dialect: str, version: int) -> str:
    """Return what a step of the schema executes."""
    written = io.StringIO()
    options = {"as_sql": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    with Operations.context(context):
        migrations.STEPS[version - 1]()
    return re.sub(r"\s+", " ", written.getvalue()).strip()


@pytest.mark.parametrize("dialect", FROZEN)
def test_the_steps_of_a_released_version_never_change(dialect: str) -> None:
    """A change of the schema is a new step: databases have executed the old ones."""
    executed = ddl(dialect, version=1)
    assert hashlib.sha256(executed.encode()).hexdigest() == FROZEN[dialect], executed


def test_every_version_is_frozen() -> None:
    assert len(migrations.STEPS) == 1


@pytest.mark.parametrize(
    ("name", "kind", "is_included"),
    [
        ("task_runs", "table", False),
        ("afterward_schema", "table", False),
        ("ix_task_runs_due", "index", False),
        ("orders", "table", True),
        ("task_runs_of_mine", "table", True),
        ("ix_orders_id", "index", True),
        ("task_runs", "column", True),
        (None, "schema", True),
    ],
)
def test_autogenerate_sees_the_applications_tables_only(
    name: str | None, kind: str, is_included: bool
) -> None:
    assert migrations.include_name(name, kind, {}) is is_included


def test_an_older_schema_stops_the_start(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations.check_version(database)
    steps = [*migrations.STEPS, lambda: None]
    monkeypatch.setattr(migrations, "STEPS", steps)
    with pytest.raises(StartupError) as refused:
        migrations.check_version(database)
    assert str(refused.value) == (
        "The schema of afterward in the database has version 1, and this code needs"
        " version 2. Run: uv run python -m afterward migration, then: uv run poe migrate"
    )


def test_a_database_without_the_tables_has_version_0(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/empty.db")
    empty = Database(None, lambda: engine)
    assert migrations.present_version(empty) == 0
    engine.dispose()


def test_a_template_of_revisions_that_was_edited_is_named() -> None:
    with pytest.raises(StartupError) as refused:
        revision._with_upgrade("from alembic import op\n\ndef upgrade(): ...", 1, 2)
    assert str(refused.value) == (
        "script.py.mako has no line '    pass'. Write a revision by hand that calls"
        " afterward.outbox.migrations.upgrade(since=1, to=2)."
    )


PROJECT = {
    "pyproject.toml": '[tool.alembic]\nscript_location = "app:migrations"\n',
    "app/__init__.py": "",
    "app/background.py": """
import os
import sqlalchemy as sa
from alembic import op
from afterward import Background
from afterward.backends.safe import Safe
from afterward.outbox import migrations

engine = sa.create_engine(os.environ["DATABASE_URL"])
background = Background(Safe(), sync_engine=lambda: engine)
if "NEWER" in os.environ:  # a later version of afterward
    migrations.STEPS.append(
        lambda: op.add_column("task_runs", sa.Column("queue", sa.Text))
    )
""",
    "app/migrations/__init__.py": "",
    "app/migrations/env.py": """
from alembic import context
from app.background import engine
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
""",
    "app/migrations/versions/0001_task_runs.py": """
from afterward.outbox import migrations
revision, down_revision = "0001", None
def upgrade(): migrations.upgrade(to=1)
def downgrade(): migrations.downgrade()
""",
    "app/migrations/versions/0002_orders.py": """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade(): op.create_table("orders", sa.Column("id", sa.Integer))
def downgrade(): op.drop_table("orders")
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with migrations of its own."""
    for path, content in PROJECT.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    mako = ROOT / "template/app/migrations/script.py.mako"
    (tmp_path / "app/migrations/script.py.mako").write_bytes(mako.read_bytes())
    return tmp_path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    server = sa.make_url(request.getfixturevalue("postgresql_url"))
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE of_project")
        url = server.set(database="of_project")
        yield url.render_as_string(hide_password=False)
        connection.exec_driver_sql("DROP DATABASE of_project WITH (FORCE)")
    engine.dispose()


def run(project: Path, url: str, *command: str, newer: bool = True) -> str:
    """Run a command in the project, and return what it printed."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "PYTHONPATH": f"{ROOT / 'template'}{os.pathsep}{project}",
        **({"NEWER": "1"} if newer else {}),
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


START = "from app.background import background; background.prepare(); print('ready')"


def test_a_newer_schema_is_one_revision_on_the_projects_head(
    project: Path, empty_url: str
) -> None:
    migrate = ("-m", "alembic", "upgrade", "head")
    write = ("-m", "afterward", "migration")
    run(project, empty_url, *migrate, newer=False)
    assert run(project, empty_url, "-c", START, newer=False) == "ready\n"
    assert "has version 1, and this code needs version 2" in run(
        project, empty_url, "-c", START
    )
    printed = run(project, empty_url, *write)
    [file] = (project / "app/migrations/versions").glob("*_afterward_schema_2.py")
    assert printed.splitlines()[-1] == (
        f"Wrote {file.name}. Read it, and run: uv run poe migrate"
    )
    text = file.read_text()
    assert "    migrations.upgrade(since=1, to=2)\n" in text
    assert re.search(r"^down_revision.* = ['\"]0002['\"]$", text, re.MULTILINE)
    run(project, empty_url, *migrate)
    assert run(project, empty_url, "-c", START) == "ready\n"
    nothing = "The outbox's schema has version 2, the newest. Nothing to do.\n"
    assert run(project, empty_url, *write) == nothing
    assert tables(empty_url) >= {"task_runs", "afterward_schema", "orders"}
    run(project, empty_url, "-m", "alembic", "downgrade", "base")
    assert tables(empty_url) == {"alembic_version"}


def tables(url: str) -> set[str]:
    """Return the names of all tables."""
    engine = sa.create_engine(url)
    names = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return names

"""Fixtures of the tests of `template/afterward`, which run it where it is."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from afterward.database import Database, configure_sqlite
from afterward.observability.metrics import get_metrics
from afterward.outbox import migrations
from afterward.outbox.models import task_runs
from afterward.settings import Settings, get_settings
from afterward.workers.publisher import Publisher
from tests.projects import services
from tests.runtime.helpers import AddTask, Outbox, add_task_to


@pytest.fixture(scope="session")
def metrics_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of this process's metrics, which exist once."""
    folder = tmp_path_factory.mktemp("metrics")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    get_metrics()
    del os.environ["PROMETHEUS_MULTIPROC_DIR"]
    return folder


@pytest.fixture(autouse=True)
def settings(
    metrics_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Return the default settings of development, not those of the shell or a file."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENV_FILE", "")
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(metrics_folder))
    monkeypatch.chdir(tmp_path)
    settings = get_settings()
    # Changed in place: threads of an earlier test may read the settings meanwhile.
    vars(settings).update(vars(Settings()))
    # Kombu keeps its connections, so each test has a file of its own.
    settings.broker_url = f"sqla+sqlite:///{tmp_path}/broker.db"
    return settings


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what `install` does to the logging of this process."""
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers])
    monkeypatch.setattr(logging.root, "level", logging.root.level)


@pytest.fixture
def add_task(monkeypatch: pytest.MonkeyPatch) -> AddTask:
    """Return a function that registers a function as a task until the test ends."""
    return add_task_to(monkeypatch)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Return the URL of a private PostgreSQL server."""
    with services.postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a SQLite file."""
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/app.db"


@pytest.fixture(scope="session")
def migrated() -> Callable[[str], str]:
    """Return a function that creates the schema at a URL, once, and returns the URL."""
    done: set[str] = set()

    def migrate(url: str) -> str:
        if url not in done:
            create_schema(url)
        done.add(url)
        return url

    return migrate


def create_schema(url: str) -> None:
    """Create the tables of afterward."""
    engine = sa.create_engine(url)
    configure_sqlite(engine)
    with (
        engine.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        migrations.upgrade(to=1)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, migrated: Callable[[str], str]
) -> Iterator[str]:
    """Return the URL of an empty outbox, on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    engine = sa.create_engine(migrated(url))
    yield url
    with engine.begin() as connection:
        connection.execute(task_runs.delete())
    engine.dispose()


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return an application's database."""
    publishers: list[Publisher] = []
    initialize = Publisher.__init__

    def initialize_and_note(self: Publisher, *arguments: Any) -> None:
        initialize(self, *arguments)
        publishers.append(self)

    monkeypatch.setattr(Publisher, "__init__", initialize_and_note)
    sync_engine = sa.create_engine(database_url)
    engine = async_engine(database_url)
    for each in (sync_engine, engine.sync_engine):
        configure_sqlite(each)
    yield Database(lambda: engine, lambda: sync_engine)
    for publisher in publishers:  # their threads use the database
        publisher.stop()
    sync_engine.dispose()
    asyncio.run(engine.dispose())


def async_engine(url: str) -> AsyncEngine:
    """Return an engine that several event loops can use, one after another."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        parsed = parsed.set(drivername="sqlite+aiosqlite")
    return create_async_engine(parsed, poolclass=sa.NullPool)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    """Return the outbox of the database, with shortcuts for tests."""
    return Outbox(database)

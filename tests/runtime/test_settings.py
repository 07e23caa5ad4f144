"""Settings, startup errors, discovery, the metrics' folder: how a process starts."""

import asyncio
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.config import Config
from fastapi import FastAPI

from afterward import Background, StartupError
from afterward.backend import check_supported
from afterward.backends.async_ import Async
from afterward.backends.celery_ import Celery
from afterward.backends.safe import Safe
from afterward.backends.simple import Simple
from afterward.discovery import Domains
from afterward.schema import prepare_database
from afterward.settings import Settings
from tests.helpers import ROOT
from tests.runtime.helpers import AddTask

TEMPLATE = ROOT / "template"


def run(
    code: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, without the settings of this one."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": f"{TEMPLATE}{os.pathsep}{folder}", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


READ = "from afterward.settings import get_settings; print(get_settings().task_retries)"


def test_settings_come_from_the_environment_then_from_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TASK_RETRIES=7\n")
    (tmp_path / "other.env").write_text("TASK_RETRIES=8\n")
    printed = [
        run(READ, tmp_path).stdout,
        run(READ, tmp_path, TASK_RETRIES="9").stdout,
        run(READ, tmp_path, TASK_RETRIES="").stdout,
        run(READ, tmp_path, ENV_FILE="other.env").stdout,
        run(READ, tmp_path, ENV_FILE="").stdout,
    ]
    assert printed == ["7\n", "9\n", "7\n", "8\n", "3\n"]


def test_a_dotenv_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SMTP_URL=\nACTION_LOG=caf\xe9.log\n")
    done = run(READ, tmp_path)
    message = ".env is not UTF-8, in line 2. Save it as UTF-8."
    expected = f"afterward.errors.StartupError: {message}\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_an_invalid_setting_is_shown_without_a_traceback(tmp_path: Path) -> None:
    done = run(READ, tmp_path, TASK_RETRIES="many", BROKER_URL="redis://:s3cret@h:x/0")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr
    assert "2 validation errors for Settings\n" in done.stderr


def test_a_startup_error_is_shown_without_a_traceback(tmp_path: Path) -> None:
    code = (
        "from afterward.errors import *\n"
        "with without_traceback(): raise StartupError('Run: x')"
    )
    done = run(code, tmp_path)
    message = "afterward.errors.StartupError: Run: x\n"
    assert (done.returncode, done.stderr) == (1, message)


@pytest.mark.parametrize("backend", [Simple, Async, Safe, Celery])
@pytest.mark.parametrize(
    ("options", "supported_by"),
    [({"retries": 5}, (Safe, Celery)), ({"queue": "slow"}, (Celery,))],
)
def test_an_option_that_the_pattern_lacks_stops_the_start(
    backend: Any, options: Any, supported_by: Any, add_task: AddTask, settings: Settings
) -> None:
    add_task(**options)
    [(option, value)] = options.items()
    remedy = "celery" if option == "queue" else "safe"
    message = (
        f"^Task 'test.run' declares {option}={value!r}, which pattern"
        f" '{backend.name}' does not support. Remove it, or run: bgscaffold promote"
        f" {remedy}$"
    )
    refused = pytest.raises(StartupError, match=message)
    with nullcontext() if backend in supported_by else refused:
        check_supported(backend())


def test_the_start_checks_the_options(add_task: AddTask) -> None:
    add_task(retries=5)
    background = Background(Simple())

    async def start() -> None:
        async with background.lifespan():
            raise AssertionError("it started")

    with pytest.raises(StartupError, match="declares retries=5"):
        asyncio.run(start())


def test_a_durable_pattern_needs_a_database() -> None:
    message = "Pattern 'safe' needs a database. Pass engine= or sync_engine="
    with pytest.raises(StartupError, match=message):
        Background(Safe())


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a domain package in an application's package."""
    # Python imports a package once, so each test has one of its own.
    folder = tmp_path / f"app_{uuid4().hex}" / "shop"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def remember(module: str) -> str:
    """Return code that notes that it was imported."""
    return f"import sys; sys.__dict__.setdefault('noted', []).append('{module}')\n"


ROUTER = "from fastapi import APIRouter\nrouter = APIRouter(prefix='/{0}')\n"


def test_every_module_with_tasks_or_routes_is_imported(
    domain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "noted", [], raising=False)
    for name in ("tasks", "routers"):
        (domain / name).mkdir()
        (domain / name / "__init__.py").touch()
    (domain / "tasks" / "one.py").write_text(remember("one"))
    (domain / "tasks" / "two.py").write_text(remember("two"))
    (domain / "router.py").write_text(ROUTER.format("a"))
    (domain / "routers" / "more.py").write_text(ROUTER.format("b"))
    migrations = domain.parent / "migrations"
    migrations.mkdir()
    (migrations / "tasks.py").write_text(remember("never"))
    routers = Domains(domain.parent.name).import_routers()
    assert [router.prefix for router in routers] == ["/a", "/b"]
    assert vars(sys)["noted"] == ["one", "two"]


def test_a_module_without_a_router_stops_the_start_and_is_named(domain: Path) -> None:
    (domain / "router.py").write_text("routes = []\n")
    with pytest.raises(TypeError) as refused:
        Domains(domain.parent.name).import_routers()
    file = domain / "router.py"
    message = f"{file} must define router = APIRouter(), found None."
    assert str(refused.value) == message


def test_an_import_error_of_a_domain_is_not_hidden(domain: Path) -> None:
    (domain / "tasks.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        Domains(domain.parent.name).import_tasks()


def test_a_file_hidden_by_a_folder_stops_the_start(domain: Path) -> None:
    (domain / "tasks").mkdir()
    (domain / "tasks.py").touch()
    with pytest.raises(StartupError) as refused:
        Domains(domain.parent.name).import_tasks()
    assert str(refused.value) == (
        f"{domain / 'tasks.py'} is hidden by the folder {domain / 'tasks'}."
        " Move its content into the folder."
    )


INSTALL = """
import os, pathlib
from fastapi import FastAPI
from fastapi.testclient import TestClient
from afterward import Background, BackgroundTasks, task
from afterward.backends.simple import Simple
from typing import Annotated

background = Background(Simple(), domains="shop_app")
app = FastAPI()
background.install(app)
from shop_app.orders.tasks import count
with background.tasks() as tasks:
    tasks.add_task(count)
import threading
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
text = TestClient(app).get("/metrics").text
print('task_attempts_total{outcome="succeeded",task="orders.count"} 1.0' in text)
print("shop_orders_total 1.0" in text)
print(*sorted(path.name for path in pathlib.Path(os.environ["TMPDIR"]).iterdir()))
print(os.getpid())
"""
TASKS = """
from prometheus_client import Counter
from afterward import task
ORDERS = Counter("shop_orders", "Orders.")

@task("orders.count")
def count():
    ORDERS.inc()
"""


def test_metrics_of_a_domain_are_shown_and_those_of_ended_servers_are_removed(
    tmp_path: Path,
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = tmp_path / "tmp" / f"metrics-{os.getuid()}-{ended.pid}"
    stale.mkdir(parents=True)
    orders = tmp_path / "shop_app" / "orders"
    orders.mkdir(parents=True)
    (tmp_path / "shop_app" / "__init__.py").touch()
    (orders / "__init__.py").touch()
    (orders / "tasks.py").write_text(TASKS)
    done = run(
        INSTALL,
        tmp_path,
        TMPDIR=str(tmp_path / "tmp"),
        ENVIRONMENT="development",
    )
    printed = done.stdout.splitlines()
    assert printed[:2] == ["True", "True"], done.stderr
    assert printed[2] == f"metrics-{os.getuid()}-{printed[3]}"


def alembic(folder: Path) -> Config:
    """Return the configuration of an application without migrations."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(folder / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


@pytest.mark.parametrize(
    ("url", "shown", "reason"),
    [
        (
            "postgresql+psycopg://ada:secret@127.0.0.1:1/shop?password=secret",
            "postgresql+psycopg://ada:***@127.0.0.1:1/shop",
            (
                "(psycopg.OperationalError) connection failed: connection to server at"
                ' "127.0.0.1", port 1 failed: Connection refused'
            ),
        ),
        (
            "sqlite:///folder",
            "sqlite:///folder",
            "(sqlite3.OperationalError) unable to open database file",
        ),
        (
            "sqlite:///text",
            "sqlite:///text",
            "(sqlite3.DatabaseError) file is not a database",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    url: str, shown: str, reason: str, tmp_path: Path
) -> None:
    Path("folder").mkdir()
    Path("text").write_text("This is no database.")
    engine = sa.create_engine(url)
    with pytest.raises(StartupError) as refused:
        prepare_database(engine, alembic(tmp_path))
    engine.dispose()
    remedy = (
        "allow this user to write there" if "sqlite" in shown else "start the server"
    )
    assert str(refused.value) == (
        f"The database {shown} cannot be used: {reason}. Correct DATABASE_URL, or"
        f" {remedy}."
    )


def test_install_adds_the_routes_of_the_backend_and_of_the_package() -> None:
    app = FastAPI()
    Background(Simple(), domains="tests.runtime.applications.domains").install(app)
    paths = set(app.openapi()["paths"])
    assert paths == {"/health/live", "/health/ready", "/metrics"}

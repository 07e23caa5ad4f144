"""The pytest plugin `afterward.testing`, in a small project."""

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers import ROOT

PROJECT = {
    "pyproject.toml": """
[tool.poe.tasks]
api.cmd = "uvicorn app.main:app"
[tool.pytest.ini_options]
filterwarnings = ["error"]
afterward_env = ["LINE=from pyproject"]
""",
    "app/__init__.py": "",
    "app/main.py": """
from fastapi import FastAPI
from app.background import background
app = FastAPI(lifespan=background.lifespan)
background.install(app)
""",
    "app/background.py": """
import os
from functools import cache
from typing import Annotated
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from afterward import Background, BackgroundTasks
from afterward.backends.safe import Safe
from afterward.database import configure_sqlite
from afterward.outbox import migrations

@cache
def engine():
    made = sa.create_engine(os.environ["DATABASE_URL"])
    configure_sqlite(made)
    return made

def prepare():
    with engine().begin() as connection:
        if not sa.inspect(connection).has_table("task_runs"):
            with Operations.context(MigrationContext.configure(connection)):
                migrations.upgrade(to=1)

background = Background(Safe(), sync_engine=engine, prepare=prepare)
background_tasks = background.tasks
BackgroundTasksDep = Annotated[BackgroundTasks, background.per_request]
""",
    "app/notes/__init__.py": "",
    "app/notes/tasks.py": """
import os
from pathlib import Path
from afterward import task
from app.background import background_tasks

@task("notes.first")
async def first(line: str) -> str:
    async with background_tasks() as tasks:
        tasks.add_task(second, line, times=2)
    return line

@task("notes.second")
def second(line: str, times: int) -> str:
    text = line * times + os.environ["LINE"]
    Path("note").write_text(text)
    return text

@task("notes.fail")
def fail() -> None:
    raise ValueError("wrong")
""",
    "app/notes/router.py": """
from fastapi import APIRouter
from app.background import BackgroundTasksDep
from app.notes import tasks
router = APIRouter()

@router.post("/notes/{line}", status_code=202)
async def note(line: str, background_tasks: BackgroundTasksDep) -> str:
    return background_tasks.add_task(tasks.first, line)

@router.post("/fail", status_code=202)
async def fail(background_tasks: BackgroundTasksDep) -> str:
    return background_tasks.add_task(tasks.fail)
""",
    "tests/__init__.py": "",
    "tests/conftest.py": 'pytest_plugins = ["afterward.testing"]\n',
    "tests/test_notes.py": """
import os
from pathlib import Path
import pytest
from afterward.testing import EnqueuedCall, wait_for
from app.notes.tasks import second

def test_call():
    assert second("a", 1) == "afrom pyproject"

def test_enqueued(client, enqueued):
    assert client.post("/notes/a").status_code == 202
    assert enqueued == [("notes.first", ["a"], {})]
    assert enqueued[0] == EnqueuedCall(task="notes.first", args=["a"], kwargs={})

def test_run_enqueued(client, enqueued, run_enqueued):
    client.post("/notes/a")
    assert run_enqueued() == ["a", "aafrom pyproject"]
    assert [call.task for call in enqueued] == ["notes.first", "notes.second"]
    assert run_enqueued() == []

def test_run_enqueued_raises_what_a_task_raises(client, run_enqueued):
    client.post("/fail")
    with pytest.raises(ValueError, match="wrong"):
        run_enqueued()

def test_server(server):
    response = server.post("/notes/b")
    assert server.status(response.json())["state"] == "succeeded"
    note = server.folder / "note"
    wait_for(lambda: note.exists() and note.read_text() == "bbfrom pyproject", "note")
    assert "notes.second" in server.log()

def test_nothing_of_the_shell_and_no_folder_of_the_project():
    assert "ENV_FILE" in os.environ and os.environ["ENV_FILE"] == ""
    assert not Path(__file__).parent.parent.joinpath("note").exists()
    assert not Path(__file__).parent.parent.joinpath("var").exists()
""",
}


def test_a_project_tests_its_tasks_in_four_ways(tmp_path: Path) -> None:
    for path, content in PROJECT.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (tmp_path / ".env").write_text("TASK_RETRIES=wrong\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "template"),
            "LINE": "from the shell",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "6 passed" in done.stdout, done.stdout + done.stderr

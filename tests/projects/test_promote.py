"""`bgscaffold promote` on projects that run: the user's code works, and no row is lost."""

import json
import shlex
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import bgscaffold.template.source
from tests import helpers
from tests.generator import upgrading
from tests.projects.environments import Environment

LADDER = ("simple", "async", "safe", "celery", "safe", "async", "simple")

TASKS = """\
import time
from pathlib import Path

from afterward import task


@task("orders.note")
def note(name: str) -> None:
    while Path("wait").exists():
        time.sleep(0.05)
    with Path("orders.log").open("a") as file:
        file.write(f"{name}\\n")
"""
MODELS = """\
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Invoice(Base):
    \"\"\"An invoice.\"\"\"

    __tablename__ = "invoices"

    number: Mapped[int] = mapped_column(primary_key=True)
"""
ROUTER = """\
from fastapi import APIRouter
from pydantic import BaseModel

from app.background import BackgroundTasksDep
from app.orders.tasks import note

router = APIRouter()


class Order(BaseModel):
    name: str


@router.post("/orders", status_code=202)
def order(body: Order, background_tasks: BackgroundTasksDep) -> dict[str, str]:
    return {"task_id": background_tasks.add_task(note, body.name)}
"""


@pytest.fixture(autouse=True)
def use_snapshot(template_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create and change projects from the snapshot of the template."""
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: template_repo)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a committed project of pattern simple with a domain of the user's own."""
    return with_orders("simple", tmp_path)


def with_orders(pattern: str, folder: Path) -> Path:
    """Create a committed project with a domain of the user's own."""
    project = upgrading.copy(pattern, folder / "shop")
    ignored = (project / ".gitignore").read_text() + "/orders.log\n/wait\n"
    upgrading.write(project, ".gitignore", ignored)
    upgrading.write(project, "app/orders/__init__.py", "")
    upgrading.write(project, "app/orders/tasks.py", TASKS)
    upgrading.write(project, "app/orders/router.py", ROUTER)
    return project


def promote(project: Path, pattern: str) -> None:
    """Promote a project, and commit the result."""
    command = helpers.process("promote", pattern)
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    helpers.git("commit", "--quiet", "--no-edit", cwd=project)


def own_files(project: Path) -> dict[str, bytes]:
    """Return the files of the user's domain."""
    folder = helpers.tree(project / "app" / "orders")
    return {path: folder[path] for path in folder if "__pycache__" not in path}


def test_an_added_domain_works_after_each_promote(
    shop: Path, newest: Environment
) -> None:
    own = own_files(shop)
    for number, pattern in enumerate(LADDER):
        if number:
            promote(shop, pattern)
        with newest.dev(shop) as dev:
            dev.post("/orders", name=f"{number} {pattern}")
            assert dev.read("orders.log") == f"{number} {pattern}\n"
        (shop / "orders.log").unlink()
    assert own_files(shop) == own


@pytest.mark.parametrize(("old", "new"), [("safe", "celery"), ("celery", "safe")])
def test_open_task_runs_are_executed_after_a_promote(
    old: str, new: str, tmp_path: Path, newest: Environment
) -> None:
    shop = with_orders(old, tmp_path)
    (shop / "wait").touch()
    names = [f"order {n}" for n in range(20)]
    with newest.dev(shop, TASK_LEASE="2") as dev:
        ids = [dev.post("/orders", name=name) for name in names]
        states = {dev.get(f"/tasks/{task_id}")["state"] for task_id in ids}
        assert states <= {"pending", "running"}
        # The end of this block kills every process, as a power cut does.
    assert not (shop / "orders.log").exists()
    promote(shop, new)
    (shop / "wait").unlink()
    with newest.dev(shop, TASK_LEASE="2") as dev:
        for task_id in ids:
            dev.wait_until_succeeded(task_id)
    assert Counter((shop / "orders.log").read_text().splitlines()) == Counter(names)


def test_ai_is_added_to_a_project_with_migrations_of_its_own(
    tmp_path: Path, newest: Environment
) -> None:
    shop = with_orders("safe", tmp_path)
    upgrading.write(shop, "app/orders/models.py", MODELS)
    tasks = f"from app.orders.models import Invoice\n{TASKS}"
    upgrading.write(shop, "app/orders/tasks.py", tasks)
    newest.run(shop, "poe", "migrate")
    newest.run(shop, "alembic", "revision", "--autogenerate", "-m", "invoices")
    newest.run(shop, "poe", "migrate")
    upgrading.commit(shop)

    before = status(shop)
    command = helpers.process("update", "--with-ai", "--json")
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert "uv run alembic merge heads -m merge" in report["next_steps"]
    # An untracked migration survives `git reset`, so this test does not add it.
    follow(
        [step for step in report["next_steps"] if "git add" not in step], shop, newest
    )

    newest.run(shop, "poe", "check")
    with newest.dev(shop) as dev:
        dev.wait_until_succeeded(dev.post("/orders", name="one"))
        assert dev.get("/documents") == []

    follow([*report["undo_first"], report["undo"]], shop, newest)

    assert status(shop) == before
    outbox = {"afterward_schema", "task_runs"}
    assert tables(shop) == {"alembic_version", "invoices", *outbox}
    with newest.dev(shop) as dev:
        dev.wait_until_succeeded(dev.post("/orders", name="two"))


def follow(steps: list[str], shop: Path, newest: Environment) -> None:
    """Run the commands of a report, except those that these tests do without."""
    left_out = ("uv sync", "uv run poe test", "git commit")  # the environment is shared
    for step in [step for step in steps if step not in left_out]:
        tool, *words = shlex.split(step)
        newest.uv(shop, *words) if tool == "uv" else helpers.git(*words, cwd=shop)


def status(project: Path) -> str:
    """Return what git reports about the work tree."""
    return helpers.git("status", "--porcelain", cwd=project)


def tables(project: Path) -> set[str]:
    """Return the tables of a project's database."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    with closing(sqlite3.connect(project / "var/app.db")) as database:
        return {name for (name,) in database.execute(query)}

"""The README: an existing application that does what it says works."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from afterward import __version__
from tests.helpers import ROOT

PACKAGE = ROOT / "template/afterward"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
ALEMBIC = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": """
import sqlalchemy as sa
from alembic import context
from afterward.outbox import migrations
from shop.database import Base

with sa.create_engine("sqlite:///shop.db").connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=migrations.include_name,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
""",
    "migrations/script.py.mako": "${upgrades}",
    "migrations/versions/0001_orders.py": """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade(): op.create_table("orders", sa.Column("id", sa.Integer, nullable=False))
def downgrade(): op.drop_table("orders")
""",
}
# The application's own table, which the README does not need.
BASE = """

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase
class Base(DeclarativeBase): ...
sa.Table("orders", Base.metadata, sa.Column("id", sa.Integer, nullable=False))
"""
USE = """
import time
from pathlib import Path
from fastapi.testclient import TestClient
from shop.main import app

with TestClient(app) as client:
    response = client.post("/orders/7")
    task_id = response.json()
    print(response.status_code, client.get("/health/ready").json())
    while client.get(f"/tasks/{task_id}").json()["state"] != "succeeded":
        time.sleep(0.01)
print(Path("order-7.txt").read_text())
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return the application of the README."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 6
    for path, content in [*blocks, *ALEMBIC.items()]:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    with (tmp_path / "shop/database.py").open("a") as database:
        database.write(BASE)
    for package in ("shop", "shop/orders"):
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def run(folder: Path, *command: str, path: str = str(ROOT / "template")) -> str:
    """Run Python in the application's folder, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{path}{os.pathsep}{folder}",
            "ENVIRONMENT": "development",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_existing_application_adopts_it_as_written(shop: Path) -> None:
    run(shop, "-m", "alembic", "upgrade", "head")
    run(shop, "-m", "alembic", "check")  # autogenerate has nothing to drop
    printed = run(shop, "-c", USE).splitlines()
    assert printed == ["202 {'status': 'ok', 'degraded': []}", "confirmed"]


def test_it_is_a_distribution(shop: Path, tmp_path: Path) -> None:
    """The folder becomes a line in pyproject.toml when it is published."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "afterward").symlink_to(PACKAGE)
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "afterward"\nversion = "{__version__}"\n'
    )
    built = tmp_path / "built"
    build = [
        str(Path(sys.executable).parent / "uv"),
        "build",
        "--wheel",
        "--no-build-isolation",
        "--quiet",
    ]
    subprocess.run(
        [*build, "--python", sys.executable, "--out-dir", str(built), str(source)],
        check=True,
        timeout=120,
    )
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"afterward/py.typed", "afterward/README.md"} <= set(names)
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    run(shop, "-m", "alembic", "upgrade", "head", path=str(installed))
    printed = run(shop, "-c", USE, path=str(installed)).splitlines()
    assert printed[-1] == "confirmed"


def test_the_readme_names_the_version_and_the_modules() -> None:
    assert f"Version {__version__}." in README
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", README)
    folders = {"": PACKAGE, "backends": PACKAGE / "backends"}
    folders |= {"outbox": PACKAGE / "outbox", "schedule": PACKAGE / "schedule"}
    folders["workers"] = PACKAGE / "workers"
    missing = [
        name
        for name in named
        if not any((folder / name).exists() for folder in folders.values())
    ]
    assert missing == ["env.py"]  # the application's own

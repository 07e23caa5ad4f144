"""Appending a task to an existing tasks.py: nothing else in the file changes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import helpers
from tests.generator.conftest import Machine, Run

FUNCTION = '''\


@task("signup.tidy")
def tidy(item_id: int) -> None:
    """Process one item. Tasks may run more than once, so keep this idempotent."""
'''
IMPORT = "from afterward import task\n"
DOCSTRING = '"""Tasks."""\n'


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project, once."""
    return helpers.render(
        "simple", "none", tmp_path_factory.mktemp("original") / "shop"
    )


@pytest.fixture
def tasks(machine: Machine, original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the tasks.py of a copy of the project, which is the current folder."""
    shop = shutil.copytree(original, machine.here / "shop")
    monkeypatch.chdir(shop)
    return shop / "app/signup/tasks.py"


@pytest.mark.parametrize(
    "text",
    [
        f"{DOCSTRING}\n{IMPORT}",
        f"{DOCSTRING}\n{IMPORT}\n\ndef other() -> None: ...\n",
        "from afterward import progress, task\n",
        f"{IMPORT}\n\nasync def other() -> None:\n    for task in []: ...\n",
        f"{IMPORT}X = {' + '.join(['1'] * 985)}\n",
    ],
)
def test_a_module_that_imports_task_gets_the_function_only(
    text: str, run: Run, tasks: Path
) -> None:
    tasks.write_text(text)
    assert run("add", "task", "signup.tidy").code == 0
    assert tasks.read_text() == text + FUNCTION


def test_another_name_of_task_is_used(run: Run, tasks: Path) -> None:
    text = "from afterward import task as background_task\n"
    tasks.write_text(text)
    assert run("add", "task", "signup.tidy").code == 0
    assert tasks.read_text() == text + FUNCTION.replace("@task", "@background_task")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{DOCSTRING}", f"{DOCSTRING}\n{IMPORT}"),
        (f"{DOCSTRING}\nX = 1\n", f"{DOCSTRING}\n{IMPORT}\nX = 1\n"),
        ("X = 1\n", f"{IMPORT}\nX = 1\n"),
        ("@f\ndef g() -> None: ...\n", f"{IMPORT}\n\n@f\ndef g() -> None: ...\n"),
        ("# Mine\n", f"# Mine\n{IMPORT}"),
        ("import os\n", f"import os\n\n{IMPORT}"),
        (
            f"{DOCSTRING}\nimport os\n\nX = 1\n",
            f"{DOCSTRING}\nimport os\n\n{IMPORT}\nX = 1\n",
        ),
        (
            "import os\n\nimport app.x\nfrom app import y\n",
            f"import os\n\nimport app.x\n{IMPORT}from app import y\n",
        ),
        ("import afterward\n", f"import afterward\n{IMPORT}"),
        (
            "from afterward.errors import y\n",
            f"{IMPORT}from afterward.errors import y\n",
        ),
        ("from . import x\n", f"{IMPORT}\nfrom . import x\n"),
        (
            "from fastapi import (\n    FastAPI,\n)\n",
            f"from fastapi import (\n    FastAPI,\n)\n\n{IMPORT}",
        ),
    ],
)
def test_task_is_imported_where_sorted_imports_have_it(
    text: str, expected: str, run: Run, tasks: Path
) -> None:
    tasks.write_text(text)
    assert run("add", "task", "signup.tidy").code == 0
    after = tasks.read_text()
    assert after == expected + FUNCTION
    assert_sorted(tasks)


def assert_sorted(file: Path) -> None:
    """Let ruff check the order of the imports, and the blank lines."""
    for command in (["check", "--select", "I"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(file)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, file.read_text()


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_an_empty_file_counts_as_missing(text: str, run: Run, tasks: Path) -> None:
    tasks.write_text(text)
    done = run("add", "task", "signup.tidy", "--json")
    assert json.loads(done.out)["files"]["app/signup/tasks.py"] == "changed"
    header = '"""Tasks of the domain `signup`."""\n\n'
    assert tasks.read_text() == header + IMPORT + FUNCTION


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n", "\n    \n"])
def test_the_function_comes_after_two_blank_lines(
    end: str, run: Run, tasks: Path
) -> None:
    tasks.write_text(f"{IMPORT}X = 1{end}")
    assert run("add", "task", "signup.tidy").code == 0
    text = tasks.read_text()
    assert text.startswith(f"{IMPORT}X = 1{end}")
    assert text.partition("X = 1")[2].split("@task")[0].count("\n") == 3


def test_line_ends_and_a_byte_order_mark_are_kept(run: Run, tasks: Path) -> None:
    before = b"\xef\xbb\xbfimport os\r\n"
    tasks.write_bytes(before)
    assert run("add", "task", "signup.tidy").code == 0
    text = f"\n{IMPORT}{FUNCTION}".replace("\n", "\r\n")
    assert tasks.read_bytes() == before + text.encode()


def test_another_encoding_is_kept(run: Run, tasks: Path) -> None:
    before = f"# coding: latin-1\n{IMPORT}X = 'größe'\n".encode("latin-1")
    tasks.write_bytes(before)
    assert run("add", "task", "signup.tidy").code == 0
    assert tasks.read_bytes() == before + FUNCTION.encode()


def test_permissions_are_kept(run: Run, tasks: Path) -> None:
    tasks.chmod(0o640)
    assert run("add", "task", "signup.tidy").code == 0
    assert tasks.stat().st_mode & 0o777 == 0o640


# ---- What is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["task = None\n", "from celery import task\n", f"{IMPORT}task = None\n"]
)
def test_task_means_something_else(text: str, run: Run, tasks: Path) -> None:
    tasks.write_text(text)
    done = run("add", "task", "signup.tidy")
    assert done.code == 1
    assert done.err == (
        f"The name is already taken: 'task' ({tasks} uses it for something else).\n"
        "Choose another name, or rename what uses it.\n"
    )
    assert tasks.read_text() == text


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a link to nothing", "it is not a regular file"),
        ("a circle of links", "it is not a regular file"),
        ("a pipe", "it is not a regular file"),
        ("a folder", "it is not a regular file"),
        ("read-only", "it is read-only"),
        ("x = 1\ny = (\n", "line 2: '(' was never closed"),
        ("x = 1\0\n", "source code string cannot contain null bytes"),
        ("# coding: hex\n", "'hex' is not a text encoding"),
        ("# coding: nothing\n", "unknown encoding"),
        (f"x = {'-' * 20_000}1\n", "it is nested too deeply"),
        ("import os; x = '''\n'''\n", "line 1 has more than one statement"),
    ],
)
def test_a_file_that_cannot_be_changed(
    kind: str, reason: str, run: Run, tasks: Path
) -> None:
    replace(tasks, kind)
    before = sorted(tasks.parents[2].rglob("*"))
    done = run("add", "task", "signup.tidy", "--route")
    line, remedy = done.err.splitlines()
    assert line.startswith(f"Cannot write to the file: '{tasks}' (")
    assert reason in line
    assert remedy == "Fix the file and run the command again."
    assert sorted(tasks.parents[2].rglob("*")) == before


def replace(file: Path, kind: str) -> None:
    """Replace a file by something unusual, or by a text."""
    if kind == "read-only":
        file.chmod(0o444)
        return
    file.unlink()
    match kind:
        case "a link to nothing":
            file.symlink_to("nothing.py")
        case "a circle of links":
            file.symlink_to(file.name)
        case "a pipe":
            os.mkfifo(file)
        case "a folder":
            file.mkdir()
        case text:
            file.write_text(text)

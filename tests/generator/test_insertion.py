"""Adding to Python files that somebody else has written."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from bgscaffold.add_task import source_editor
from bgscaffold.add_task.errors import NameTakenError, UneditableFileError
from bgscaffold.add_task.source_editor import Import, Source

OWN = frozenset(["app", "tests"])
TASK = Import("app.background", "task")


def source(text: str, package: str = "app.shop", width: int = 88) -> Source:
    """Return a file of this text."""
    return Source(Path("tasks.py"), text, package, OWN, width=width)


def with_import(text: str, wanted: Import = TASK) -> tuple[str, str]:
    """Return the text with an import, and what the module calls the imported."""
    changed, name = source_editor.add_import(source(text), wanted)
    return changed.text, name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from app.background import task\n", "task"),
        ("from app.background import task as t\n", "t"),
        (
            "from app.background import (\n    background_tasks,\n    task as t,\n)\n",
            "t",
        ),
        ("import app.background\n", "app.background.task"),
        ("import app.background as bg\n", "bg.task"),
        ("import app.background.door\n", "app.background.task"),
        ("from app import background\n", "background.task"),
        ("from app import background as bg, settings\n", "bg.task"),
        ("from ..background import task\n", "task"),
        ("from .. import background\n", "background.task"),
        ("from ..background import task as t; x = 1\n", "t"),
    ],
)
def test_what_is_imported_already_is_used_as_it_is_called(text: str, name: str) -> None:
    assert with_import(text) == (text, name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "from app.background import task\n"),
        ("x = 1", "from app.background import task\n\nx = 1"),
        ('"""Tasks."""\n', '"""Tasks."""\n\nfrom app.background import task\n'),
        ('"""Tasks."""', '"""Tasks."""\n\nfrom app.background import task\n'),
        (
            '"""Tasks."""\n\nx = 1\n',
            '"""Tasks."""\n\nfrom app.background import task\n\nx = 1\n',
        ),
        (
            '"""Tasks."""\n\n\nx = 1\n',
            '"""Tasks."""\n\nfrom app.background import task\n\nx = 1\n',
        ),
        (
            '"""Tasks."""\nx = 1\n',
            '"""Tasks."""\n\nfrom app.background import task\n\nx = 1\n',
        ),
        (
            '"""Tasks."""\n\n\nclass A: ...\n',
            '"""Tasks."""\n\nfrom app.background import task\n\n\nclass A: ...\n',
        ),
        (
            "#!/usr/bin/env python\n# Mine.\n\n\ndef f(): ...\n",
            "#!/usr/bin/env python\n# Mine.\n\nfrom app.background import task\n\n\ndef f(): ...\n",
        ),
        (
            "# Mine.\nimport httpx\n",
            "# Mine.\nimport httpx\n\nfrom app.background import task\n",
        ),
        (
            "from app.settings import settings\n",
            "from app.background import task\nfrom app.settings import settings\n",
        ),
        (
            '"""Tasks."""\n\n# For the path.\nfrom app.settings import settings  # here\n',
            '"""Tasks."""\n\nfrom app.background import task\n# For the path.\nfrom app.settings import settings  # here\n',
        ),
        (
            "from app.background.task import Task\nfrom app.settings import settings\n",
            "from app.background import task\nfrom app.background.task import Task\nfrom app.settings import settings\n",
        ),
        (
            "import app.main\nfrom .models import Item\n",
            "import app.main\nfrom app.background import task\nfrom .models import Item\n",
        ),
        (
            "from .models import Item\n",
            "from app.background import task\n\nfrom .models import Item\n",
        ),
        ("import os\nx = 1\n", "import os\n\nfrom app.background import task\nx = 1\n"),
        ("import os", "import os\n\nfrom app.background import task\n"),
        (
            "import os\r\nx = 1\r\n",
            "import os\r\n\r\nfrom app.background import task\r\nx = 1\r\n",
        ),
        (
            "from app.background import background_tasks\n",
            "from app.background import background_tasks, task\n",
        ),
        (
            "from app.background import zeal  # größe\n",
            "from app.background import task, zeal  # größe\n",
        ),
        (
            "from app.background import BackgroundTasks, BackgroundTasksDep, background_tasks, zeal\n",
            "from app.background import (\n    BackgroundTasks,\n    BackgroundTasksDep,\n    background_tasks,\n    task,\n    zeal,\n)\n",
        ),
        (
            "from app.background import (\n    on_failure,  # told\n    zeal,\n    # the end\n)\n",
            "from app.background import (\n    on_failure,  # told\n    task,\n    zeal,\n    # the end\n)\n",
        ),
        (
            "from app.background import (  # all\n    on_failure\n)\n",
            "from app.background import (  # all\n    on_failure,\n    task\n)\n",
        ),
        ("import app\n", "import app\nfrom app.background import task\n"),
        ("import app as a\n", "import app as a\nfrom app.background import task\n"),
        (
            "from app.background import report as r\n",
            "from app.background import report as r\nfrom app.background import task\n",
        ),
        (
            "from app.background import *\n",
            "from app.background import *\nfrom app.background import task\n",
        ),
    ],
)
def test_an_import_comes_where_sorted_imports_have_it(before: str, after: str) -> None:
    assert with_import(before) == (after, "task")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import httpx\n", "import logging\n\nimport httpx\n"),
        (
            "from __future__ import annotations\nimport httpx\n",
            "from __future__ import annotations\n\nimport logging\nimport httpx\n",
        ),
        ("from pathlib import Path\n", "import logging\nfrom pathlib import Path\n"),
        ("from logging import INFO\n", "import logging\nfrom logging import INFO\n"),
    ],
)
def test_a_module_comes_before_what_is_imported_from_modules(
    before: str, after: str
) -> None:
    assert with_import(before, Import("logging")) == (after, "logging")


def test_numbers_in_names_are_sorted_by_what_they_count() -> None:
    text = "from app.shop2.tasks import b\nfrom app.shop10.tasks import b as c\n"
    wanted = Import("app.shop9.tasks", "x2")
    after, _ = with_import(text, wanted)
    assert [line.split()[1] for line in after.splitlines()] == [
        *("app.shop2.tasks", "app.shop9.tasks", "app.shop10.tasks")
    ]


def test_a_name_that_is_too_long_for_sorted_imports_is_wrapped() -> None:
    wanted = Import(f"app.{'d' * 30}.tasks", "n" * 40)
    after, _ = with_import("", wanted)
    assert after == f"from app.{'d' * 30}.tasks import (\n    {'n' * 40},\n)\n"


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("from celery import task\n", "task", "tasks.py has it already"),
        ("def task(): ...\n", "task", "tasks.py has it already"),
        ("if 1:\n    import task\n", "task", "tasks.py has it already"),
        (
            "import app.background as bg\nbg = 1\n",
            "bg",
            "tasks.py imports it, and assigns it too",
        ),
        (
            "from app.background import task\nfor task in (): ...\n",
            "task",
            "tasks.py imports it, and assigns it too",
        ),
    ],
)
def test_a_name_that_means_something_else_is_refused(
    text: str, value: str, reason: str
) -> None:
    with pytest.raises(NameTakenError) as refused:
        with_import(text)
    assert (refused.value.value, refused.value.reason) == (value, reason)


@pytest.mark.parametrize(
    "text",
    [
        "import os; x = '''\n'''\n",
        "from app.background import report, \\\n    router\n",
        "from app.background import a, b; x = 1; y = '''\n'''\n",
    ],
)
def test_a_layout_that_nobody_foresaw_is_kept_or_refused(text: str) -> None:
    try:
        after, _ = with_import(text)
    except UneditableFileError:
        return
    assert source_editor.preserves_characters(text, after)
    assert source_editor.preserves_statements(source(text).tree, source(after).tree)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 1\n\n\ny = 2\n"),
        ("x = 1", "x = 1\n\n\ny = 2\n"),
        ("x = 1\n\n", "x = 1\n\n\ny = 2\n"),
        ("x = 1\n\n\n\n", "x = 1\n\n\n\ny = 2\n"),
        ("x = 1  # one\n# end", "x = 1  # one\n# end\n\n\ny = 2\n"),
        ("x = 1\r\n", "x = 1\r\n\r\n\r\ny = 2\r\n"),
        ("x = '\x0c\u2028'\n", "x = '\x0c\u2028'\n\n\ny = 2\n"),
    ],
)
def test_code_comes_to_the_end(before: str, after: str) -> None:
    assert source_editor.append_code(source(before), "y = 2\n").text == after


@pytest.mark.parametrize(
    "after",
    [
        "y = 1\nx = 2\n",  # a statement is another
        "x = 1\n",  # a comment is gone
        "'''x = 1  # one'''\n",  # all characters are there, and nothing is done
    ],
)
def test_what_is_not_proven_is_refused(after: str) -> None:
    before = source("x = 1  # one\n")
    with pytest.raises(UneditableFileError, match="laid out in a way"):
        before.changed(after)


def test_a_docstring_stays_the_docstring() -> None:
    with pytest.raises(UneditableFileError):
        source("'Doc.'\n").changed("x = 1\n'Doc.'\n")


def test_an_import_loses_no_name() -> None:
    with pytest.raises(UneditableFileError):
        source("from a import b\n").changed("from a import (c)  # from a import b\n")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x = 1\ndef f(:\n", "line 2: invalid syntax"),
        (b"x = '\0'\n", "source code string cannot contain null bytes"),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        (b"x = '\xff'\n", "invalid or missing encoding declaration"),
    ],
)
def test_a_file_that_python_cannot_read_is_refused(
    raw: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.py"
    file.write_bytes(raw)
    with pytest.raises(UneditableFileError) as refused:
        source_editor.load_source(file, "app.shop", OWN, 100, "")
    assert refused.value.value == str(file)
    assert reason in refused.value.reason


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UneditableFileError, match="it is no file"):
        source_editor.load_source(tmp_path, "app.shop", OWN, 100, "")


@pytest.mark.parametrize(
    "raw",
    [
        "\ufeffx = 'größe'\r\n".encode(),
        "# -*- coding: latin-1 -*-\nx = 'größe'".encode("latin-1"),
        b"x = 1\n\n\n",
    ],
    ids=["BOM and CRLF", "latin-1", "empty lines"],
)
def test_bytes_stay_as_they_are(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "tasks.py"
    file.write_bytes(raw)
    loaded = source_editor.load_source(file, "app.shop", OWN, 100, "")
    assert loaded.content == raw
    assert source_editor.append_code(loaded, "y = 2\n").content.startswith(raw)


# ---- Every combination of what files begin with ---------------------------------------------------

STARTS = ("", '"""Tasks."""\n', "# Mine.\n", '# Mine.\n\n"""Tasks."""\n')
STANDARD = ("", "import os\n", "import os\nfrom pathlib import Path\n")
OTHERS = (
    "",
    "from fastapi import APIRouter\n",
    "import httpx\nfrom pydantic import Field\n",
)
HOUSE = (
    "",
    "from app.settings import settings\n",
    "from app.background import report\nfrom app.database import Base\n",
    "from app.background import report as r\nfrom app.database import Base\n",
    "import app.main\nfrom app.background.door import BackgroundTasks\n",
)
CODE = (
    "",
    "LIMIT = 1\n",
    "# Why.\nLIMIT = 1\n",
    "class A:\n    pass\n",
    "# Why.\ndef f(): ...\n",
)


def test_what_was_sorted_and_formatted_stays_so(tmp_path: Path) -> None:
    """Some 900 files, as the formatter leaves them, before and after."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    parts = itertools.product(STARTS, STANDARD, OTHERS, HOUSE, CODE)
    for number, (start, *imports, code) in enumerate(parts):
        text = "\n".join(part for part in (start, *imports, code) if part)
        (tmp_path / "app" / f"file_{number}.py").write_text(text)
    ruff(tmp_path, "check", "--fix", "--select=I")
    ruff(tmp_path, "format")
    for file in (tmp_path / "app").glob("file_*.py"):
        loaded = source_editor.load_source(file, "app.shop", OWN, 100, "")
        for wanted in (Import("logging"), TASK, Import("pydantic", "BaseModel")):
            loaded, _ = source_editor.add_import(loaded, wanted)
        file.write_bytes(
            source_editor.append_code(loaded, "def added() -> None: ...\n").content
        )
    ruff(tmp_path, "check", "--select=I")
    ruff(tmp_path, "format", "--check")


def ruff(folder: Path, *arguments: str) -> None:
    """Run ruff with its own rules in a folder, and demand that it finds nothing."""
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

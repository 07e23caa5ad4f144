"""`bgscaffold add task`: what it writes, what it prints, what it refuses."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bgscaffold.system.atomic_files
from bgscaffold.system import locks
from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run

TASKS = '''\
"""Tasks of the domain `invoices`."""

from afterward import task


@task("invoices.send_reminder")
def send_reminder(item_id: int) -> None:
    """Process one item. Tasks may run more than once, so keep this idempotent."""
'''
MODULE = TASKS.replace(
    "Tasks of the domain `invoices`.", "Task `invoices.send_reminder`."
)
ROUTER = '''\
"""Route of the task `invoices.send_reminder`."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.background import BackgroundTasksDep
from app.invoices.tasks import send_reminder

router = APIRouter(prefix="/invoices", tags=["invoices"])


class Accepted(BaseModel):
    """The accepted task run."""

    task_id: str


@router.post("/{item_id}/send-reminder", status_code=202)
async def enqueue_send_reminder(
    item_id: int, background_tasks: BackgroundTasksDep
) -> Accepted:
    """Enqueue the task `send_reminder`."""
    return Accepted(task_id=background_tasks.add_task(send_reminder, item_id))
'''
TEST = '''\
"""Tests of the task `invoices.send_reminder`."""

from collections.abc import Callable
from typing import Any

from afterward.testing import Enqueued
from app.background import background_tasks
from app.invoices.tasks import send_reminder


def test_the_task_succeeds(
    enqueued: Enqueued, run_enqueued: Callable[[], list[Any]]
) -> None:
    with background_tasks() as tasks:
        tasks.add_task(send_reminder, 7)
    assert enqueued == [("invoices.send_reminder", [7], {})]
    assert run_enqueued() == [None]
'''
ROUTE_TEST = '''\
"""Tests of the task `invoices.send_reminder` and its route."""

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

from afterward.testing import Enqueued

URL = "/invoices/7/send-reminder"


def test_the_route_enqueues_the_task(client: TestClient, enqueued: Enqueued) -> None:
    response = client.post(URL)
    assert response.status_code == 202
    assert enqueued == [("invoices.send_reminder", [7], {})]


def test_the_task_succeeds(
    client: TestClient, run_enqueued: Callable[[], list[Any]]
) -> None:
    client.post(URL)
    assert run_enqueued() == [None]
'''


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project, once."""
    return helpers.render("safe", "none", tmp_path_factory.mktemp("original") / "shop")


@pytest.fixture(scope="session")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project with schedules, once."""
    folder = tmp_path_factory.mktemp("scheduled")
    return helpers.render("celery", "none", folder / "shop", schedule=True)


@pytest.fixture
def shop(machine: Machine, original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the project, which is the current folder."""
    shutil.copytree(original, machine.here / "shop")
    monkeypatch.chdir(machine.here / "shop")
    return machine.here / "shop"


def changes(project: Path, original: Path) -> dict[str, str]:
    """Return the content of every file that was added or changed."""
    before, after = helpers.tree(original), helpers.tree(project)
    assert before.keys() <= after.keys()
    return {
        path: content.decode()
        for path, content in after.items()
        if before.get(path) != content
    }


# ---- What it writes ------------------------------------------------------------------


def test_a_new_domain(run: Run, shop: Path, original: Path) -> None:
    assert run("add", "task", "invoices.send_reminder") == Outcome(
        0,
        f"Added task invoices.send_reminder to {shop} (pattern safe).\n"
        "  app/invoices/__init__.py              new\n"
        "  tests/invoices/__init__.py            new\n"
        "  app/invoices/tasks.py                 new\n"
        "  tests/invoices/test_send_reminder.py  new\n"
        "\n"
        "Next:\n"
        "  uv run poe dev                start the API\n"
        "  uv run pytest tests/invoices  run the tests of the domain\n"
        "\n"
        "Write the work of the task in send_reminder() in app/invoices/tasks.py.\n"
        "To enqueue it, call background_tasks.add_task(send_reminder, 7) in a route.\n",
        "",
    )
    assert changes(shop, original) == {
        "app/invoices/__init__.py": "",
        "app/invoices/tasks.py": TASKS,
        "tests/invoices/__init__.py": "",
        "tests/invoices/test_send_reminder.py": TEST,
    }


def test_a_new_domain_with_a_route(run: Run, shop: Path, original: Path) -> None:
    os.chdir(shop / "app" / "actions")
    done = run("add", "task", "invoices.send_reminder", "--async", "--route")
    assert done == Outcome(
        0,
        f"Added task invoices.send_reminder to {shop} (pattern safe).\n"
        "  app/invoices/__init__.py              new\n"
        "  tests/invoices/__init__.py            new\n"
        "  app/invoices/tasks.py                 new\n"
        "  app/invoices/router.py                new\n"
        "  tests/invoices/test_send_reminder.py  new\n"
        "\n"
        "Next:\n"
        + step(shop, f"cd {shop}", "")
        + step(shop, "uv run poe dev", "start the API")
        + step(shop, CURL, "enqueue the task")
        + step(shop, "uv run pytest tests/invoices", "run the tests of the domain")
        + "\n"
        "Write the work of the task in send_reminder() in app/invoices/tasks.py.\n",
        "",
    )
    assert changes(shop, original) == {
        "app/invoices/__init__.py": "",
        "app/invoices/router.py": ROUTER,
        "app/invoices/tasks.py": TASKS.replace("def send", "async def send"),
        "tests/invoices/__init__.py": "",
        "tests/invoices/test_send_reminder.py": ROUTE_TEST,
    }


CURL = "curl -X POST localhost:8000/invoices/7/send-reminder"


def step(shop: Path, command: str, purpose: str) -> str:
    """Return a line of the next steps, the first of which is to change the folder."""
    width = max(len(f"cd {shop}"), len(CURL)) + 2
    return f"  {command:<{width}}{purpose}".rstrip() + "\n"


def test_an_existing_domain_gets_a_function_and_a_router(
    run: Run, shop: Path, original: Path
) -> None:
    assert run("add", "task", "signup.send_reminder", "--route").code == 0
    changed = changes(shop, original)
    assert list(changed) == [
        "app/signup/routers/__init__.py",
        "app/signup/routers/send_reminder.py",
        "app/signup/tasks.py",
        "tests/signup/test_send_reminder.py",
    ]
    before = (original / "app/signup/tasks.py").read_text()
    function = TASKS.replace("invoices", "signup").partition("import task\n")[2]
    assert changed["app/signup/tasks.py"] == before + function
    assert changed["app/signup/routers/send_reminder.py"] == ROUTER.replace(
        "invoices", "signup"
    )


def test_a_domain_with_a_folder_of_tasks_gets_a_module(
    run: Run, shop: Path, original: Path
) -> None:
    (shop / "app/invoices/tasks").mkdir(parents=True)
    (shop / "app/invoices/routers").mkdir()
    assert run("add", "task", "invoices.send_reminder", "--route").code == 0
    tasks = "from app.invoices.tasks.send_reminder import send_reminder"
    assert changes(shop, original) == {
        "app/invoices/__init__.py": "",
        "app/invoices/routers/__init__.py": "",
        "app/invoices/routers/send_reminder.py": ROUTER.replace(
            "from app.invoices.tasks import send_reminder", tasks
        ),
        "app/invoices/tasks/__init__.py": "",
        "app/invoices/tasks/send_reminder.py": MODULE,
        "tests/invoices/__init__.py": "",
        "tests/invoices/test_send_reminder.py": ROUTE_TEST,
    }


def test_an_application_in_src_under_another_name(
    run: Run, shop: Path, original: Path
) -> None:
    (shop / "src").mkdir()
    (shop / "app").rename(shop / "src/backend")
    assert run("add", "task", "invoices.send_reminder", "--route").code == 0
    router = (shop / "src/backend/invoices/router.py").read_text()
    assert router == ROUTER.replace("from app.", "from backend.")
    test = (shop / "tests/invoices/test_send_reminder.py").read_text()
    assert test == ROUTE_TEST


def test_json(run: Run, shop: Path) -> None:
    done = run("add", "task", "order_items.pack_box", "--route", "--json")
    assert json.loads(done.out) == {
        "task": "order_items.pack_box",
        "path": str(shop),
        "pattern": "safe",
        "files": {
            "app/order_items/__init__.py": "new",
            "tests/order_items/__init__.py": "new",
            "app/order_items/tasks.py": "new",
            "app/order_items/router.py": "new",
            "tests/order_items/test_pack_box.py": "new",
        },
        "route": "POST /order-items/7/pack-box",
        "next_steps": [
            "uv run poe dev",
            "curl -X POST localhost:8000/order-items/7/pack-box",
            "uv run pytest tests/order_items",
        ],
    }
    assert json.loads(run("add", "task", "a.b", "--json").out)["route"] is None


def test_a_project_elsewhere(run: Run, shop: Path, machine: Machine) -> None:
    os.chdir(machine.here)
    assert "\n  cd shop\n" in run("add", "task", "a.b", "--path", "shop/app").out
    assert (shop / "app/a/tasks.py").exists()


def test_a_scheduled_task_takes_no_argument(
    run: Run, machine: Machine, scheduled: Path
) -> None:
    shop = shutil.copytree(scheduled, machine.here / "shop")
    task = ("add", "task", "night.tidy", "--cron", " 0  3 * * *", "--path", "shop")
    assert run(*task, "--route").code == 0
    assert (shop / "app/night/tasks.py").read_text() == (
        '"""Tasks of the domain `night`."""\n'
        "\n"
        "from afterward import task\n"
        "\n"
        "\n"
        '@task("night.tidy", cron="0 3 * * *")\n'
        "def tidy() -> None:\n"
        '    """Do the scheduled work. Tasks may run more than once, so keep this'
        ' idempotent."""\n'
    )
    router = (shop / "app/night/router.py").read_text()
    assert router.partition("task_id: str\n\n\n")[2] == (
        '@router.post("/tidy", status_code=202)\n'
        "async def enqueue_tidy(background_tasks: BackgroundTasksDep) -> Accepted:\n"
        '    """Enqueue the task `tidy`."""\n'
        "    return Accepted(task_id=background_tasks.add_task(tidy))\n"
    )
    test = (shop / "tests/night/test_tidy.py").read_text()
    assert 'URL = "/night/tidy"\n' in test
    assert '    assert enqueued == [("night.tidy", [], {})]\n' in test


def test_the_test_of_a_scheduled_task_without_a_route(
    run: Run, machine: Machine, scheduled: Path
) -> None:
    shop = shutil.copytree(scheduled, machine.here / "shop")
    task = ("add", "task", "night.tidy", "--cron", "0 3 * * *", "--path", "shop")
    assert run(*task).out.endswith(
        "Write the work of the task in tidy() in app/night/tasks.py.\n"
    )
    test = (shop / "tests/night/test_tidy.py").read_text()
    assert "        tasks.add_task(tidy)\n" in test


# ---- Formatting ----------------------------------------------------------------------

LONG = f"{'d' * 30}.{'n' * 30}"
ZONE = "America/Argentina/ComodRivadavia"
OFTEN = "0,10,20,30,40,50 0,2,4,6,8,10,12,14,16,18,20,22 1,8,15,22 * mon-fri"


@pytest.mark.parametrize("width", [72, 79, 88, 100, 120])
def test_code_is_formatted_for_the_line_length_of_the_project(
    width: int, run: Run, shop: Path
) -> None:
    (shop / "pyproject.toml").write_text(f"[tool.ruff]\nline-length = {width}\n")
    assert run("add", "task", "invoices.send_reminder", "--route").code == 0
    assert run("add", "task", "invoices.collect").code == 0
    assert_formatted(shop / "app/invoices", shop / "tests/invoices")


@pytest.mark.parametrize("width", [88, 100])
@pytest.mark.parametrize("options", [(), ("--async",), ("--route",)])
@pytest.mark.parametrize("name", ["b.c", f"{'d' * 30}.b", f"b.{'n' * 30}", LONG])
def test_code_is_formatted_whatever_its_name(
    name: str, options: tuple[str, ...], width: int, run: Run, shop: Path
) -> None:
    (shop / "pyproject.toml").write_text(f"[tool.ruff]\nline-length = {width}\n")
    domain = name.split(".")[0]
    (shop / "app" / domain / "tasks").mkdir(parents=True)
    assert run("add", "task", name, *options).code == 0
    assert_formatted(shop / "app" / domain, shop / "tests" / domain)


@pytest.mark.parametrize("cron", ["0 3 * * *", OFTEN])
def test_a_schedule_is_formatted_however_long(
    cron: str, run: Run, machine: Machine, scheduled: Path
) -> None:
    shop = shutil.copytree(scheduled, machine.here / "shop")
    for name in ("a.b", LONG):
        task = ("add", "task", name, "--cron", cron, "--timezone", ZONE)
        assert run(*task, "--path", "shop").code == 0
        folder = shop / "app" / name.split(".")[0]
        code = (folder / "tasks.py").read_text()
        assert f'cron="{cron}"' in code
        assert f'timezone="{ZONE}"' in code
        assert_formatted(folder)


def test_without_a_configuration_lines_have_the_length_of_ruff(
    run: Run, shop: Path
) -> None:
    (shop / "pyproject.toml").unlink()
    assert run("add", "task", LONG, "--route").code == 0
    assert_formatted(shop / "app" / LONG[:30], shop / "tests" / LONG[:30])


def assert_formatted(*folders: Path) -> None:
    """Check folders with ruff, under the configuration of the project and without."""
    for command in (["format", "--check"], ["check"], ["check", "--isolated"]):
        paths = map(str, folders)
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", *paths]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- Names that are refused ----------------------------------------------------------


def refused(run: Run, shop: Path, *arguments: str) -> list[str]:
    """Run a refused command, check that it changed nothing, and return its message."""
    before, folders = helpers.tree(shop), sorted(shop.rglob("*"))
    done = run("add", "task", *arguments)
    assert (done.code, done.out) == (1, "")
    assert (helpers.tree(shop), sorted(shop.rglob("*"))) == (before, folders)
    return done.err.splitlines()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tidy", "'' is not a valid part"),
        ("a.b.c", "'b.c' is not a valid part"),
        ("", "'' is not a valid part"),
        (".b", "'' is not a valid part"),
        ("A.b", "'A' is not a valid part"),
        ("a.B", "'B' is not a valid part"),
        ("1a.b", "'1a' is not a valid part"),
        ("_a.b", "'_a' is not a valid part"),
        ("a-b.c", "'a-b' is not a valid part"),
        ("a.größe", "'größe' is not a valid part"),
        ("\u0430.b", "'\u0430' is not a valid part"),
        ("a.b\n", "'b\\n' is not a valid part"),
        ("../a.b", "'' is not a valid part"),
        ("a.b/c", "'b/c' is not a valid part"),
        ('a.b"', "'b\"' is not a valid part"),
        (f"{'a' * 31}.b", f"'{'a' * 31}' is not a valid part"),
        ("class.b", "class is a keyword of Python"),
        ("a.async", "async is a keyword of Python"),
        ("migrations.b", "the domain name migrations is reserved"),
        ("afterward.b", "the domain name afterward is reserved"),
        ("celery.b", "the domain name celery is reserved"),
        ("nul.b", "the domain name nul is reserved"),
        ("a.test", "the function name test is reserved"),
        ("a.pytest_plugins", "the function name pytest_plugins is reserved"),
        ("a.setup_module", "the function name setup_module is reserved"),
        ("a.print", "the function name print is reserved"),
        ("a.task", "the function name task is reserved"),
        ("a.background_tasks", "the function name background_tasks is reserved"),
    ],
)
def test_an_invalid_name(name: str, reason: str, run: Run, shop: Path) -> None:
    line, advice = refused(run, shop, "--", name)
    assert line == f"Not a valid task name: {name!r} ({reason})."
    assert advice == (
        "A task name is DOMAIN.NAME. Each part has 1 to 30 characters of a-z, 0-9 and"
        " _, and starts with a letter. Choose another name, such as"
        " invoices.send_reminder."
    )


@pytest.mark.parametrize(
    ("domain", "module"),
    [
        ("main", "app/main.py"),
        ("background", "app/background.py"),
        ("conftest", "tests/conftest.py"),
    ],
)
def test_a_domain_with_the_name_of_a_module(
    domain: str, module: str, run: Run, shop: Path
) -> None:
    line = f"Not a valid task name: {domain!r} ({module} is a module)."
    assert refused(run, shop, f"{domain}.b")[0] == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@task('actions.tidy')\ndef f() -> None: ...\n", 3),
        ("@bg.task(\n    'actions.tidy', retries=3)\ndef f() -> None: ...\n", 3),
        ("@task(name='actions.tidy')\nasync def f() -> None: ...\n", 3),
        ("NAME = 'actions.tidy'\n\n\n@task(NAME)\ndef f() -> None: ...\n", 6),
        ("NAME: str = 'actions.tidy'\n\n@task(name=NAME)\ndef f() -> None: ...\n", 5),
        ("f = task('actions.tidy')(print)\n", 3),
    ],
)
@pytest.mark.parametrize("file", ["tasks.py", "inner/more.py"])
def test_the_name_of_another_task(
    text: str, line: int, file: str, run: Run, shop: Path
) -> None:
    other = shop / "app/other" / file
    other.parent.mkdir(parents=True)
    other.write_text(f"from afterward import task\n\n{text}")
    assert refused(run, shop, "actions.tidy") == [
        f"The name is already taken: 'actions.tidy' ({other}, line {line}).",
        "Choose another name, or rename what uses it.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "@task('actions.tidy2')\ndef f(): ...\n",
        "@task(NAME)\ndef f(): ...\n",
        "N: str\n@task(N)\ndef f(): ...\n",
        "N = 3\n@task(N)\ndef f(): ...\n",
        "N = 'actions.tidy'\nN = 'a.b'\n@task(N)\ndef f(): ...\n",
        "for N in []: ...\n@task(N)\ndef f(): ...\n",
        "@task()\ndef f(): ...\n",
        "@task\ndef f(): ...\n",
        "log = getLogger('actions.tidy')\n",
        "def f(:\n",
        "# coding: hex\n",
        "x = '\\d'\n",
    ],
)
def test_a_name_that_only_looks_taken(text: str, run: Run, shop: Path) -> None:
    (shop / "app/other").mkdir()
    (shop / "app/other/tasks.py").write_text(text)
    (shop / "app/other/folder.py").mkdir()
    assert run("add", "task", "actions.tidy").code == 0


def test_a_function_that_exists(run: Run, shop: Path) -> None:
    file = shop / "app/actions/tasks.py"
    file.write_text(f"{file.read_text()}\n\ndef tidy() -> None: ...\n")
    assert refused(run, shop, "actions.tidy")[0] == (
        f"The name is already taken: 'tidy' ({file} uses it)."
    )


@pytest.mark.parametrize(
    "path",
    [
        "tests/signup/test_tidy.py",
        "app/signup/routers/tidy.py",
        "app/invoices/tasks/tidy.py",
    ],
)
def test_a_file_that_exists(path: str, run: Run, shop: Path) -> None:
    domain = path.split("/")[1]
    message = [
        f"The file already exists: '{shop / path}'.",
        "Choose another name, or move the file away.",
    ]
    (shop / path).parent.mkdir(parents=True, exist_ok=True)
    (shop / path).write_text("# mine\n")
    assert refused(run, shop, f"{domain}.tidy", "--route") == message
    (shop / path).unlink()
    (shop / path).symlink_to("nowhere")
    assert refused(run, shop, f"{domain}.tidy", "--route") == message


def test_a_schedule_without_schedules(run: Run, shop: Path) -> None:
    assert refused(run, shop, "a.b", "--cron", "0 3 * * *") == [
        "This project has no schedules: '0 3 * * *'.",
        "Add them with `bgscaffold update --with-schedule`, or leave out --cron.",
    ]


def test_no_project(run: Run, machine: Machine) -> None:
    line = f"Not a bgscaffold project: '{machine.here}' ("
    assert run("add", "task", "a.b").err.startswith(line)


def test_open_conflicts(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = upgrading.copy("simple", machine.here / "shop")
    upgrading.open_conflict(shop, "README.md")
    monkeypatch.chdir(shop)
    line = f"The repository has unresolved merge conflicts: '{shop}' (README.md)."
    assert refused(run, shop, "a.b")[0] == line


# ---- Files that are not ordinary -----------------------------------------------------


def test_a_link_in_the_project_stays_a_link(run: Run, shop: Path) -> None:
    (shop / "app/signup/tasks.py").rename(shop / "app/signup/work.txt")
    (shop / "app/signup/tasks.py").symlink_to("work.txt")
    assert run("add", "task", "signup.tidy").code == 0
    assert (shop / "app/signup/tasks.py").readlink() == Path("work.txt")
    assert (shop / "app/signup/work.txt").read_text().count("def tidy(") == 1


@pytest.mark.parametrize("path", ["app/outside", "tests/outside"])
def test_a_link_out_of_the_project(
    path: str, run: Run, shop: Path, tmp_path: Path
) -> None:
    (shop / path).symlink_to(tmp_path)
    [line, _] = refused(run, shop, "outside.tidy")
    assert line.startswith(f"Cannot write to the file: '{shop / path}/")
    assert line.endswith("' (it is outside the project).")


def test_a_module_that_a_folder_hides(run: Run, shop: Path) -> None:
    (shop / "app/signup/tasks").mkdir()
    file = shop / "app/signup/tasks.py"
    assert refused(run, shop, "signup.tidy") == [
        (
            f"Cannot write to the file: '{file}' (the folder tasks/ hides it; move its"
            " tasks into the folder)."
        ),
        "Fix the file and run the command again.",
    ]


def test_a_pipe_among_the_modules_is_not_read(shop: Path) -> None:
    os.mkfifo(shop / "app/signup/pipe.py")
    command = helpers.process("add", "task", "a.b")
    assert subprocess.run(command, check=False, timeout=30).returncode == 0


def test_an_unreadable_configuration_is_ignored(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_text

    def denied(path: Path, *options: Any, **named: Any) -> str:
        if path.name == "pyproject.toml":
            raise PermissionError
        return read(path, *options, **named)

    monkeypatch.setattr(Path, "read_text", denied)
    assert run("add", "task", "signup.tidy").code == 0


# ---- Several commands at the same time -----------------------------------------------


def test_commands_that_run_at_the_same_time_all_succeed(shop: Path) -> None:
    names = [f"tidy_{number}" for number in range(4)]
    processes = [
        subprocess.Popen(
            helpers.process("add", "task", f"invoices.{name}", "--route"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    results = [(each.communicate()[1], each.returncode) for each in processes]
    assert results == [("", 0)] * 4
    tasks = (shop / "app/invoices/tasks.py").read_text()
    routers = [shop / "app/invoices/router.py", *shop.glob("app/invoices/routers/*.py")]
    routes = "".join(file.read_text() for file in routers)
    assert [tasks.count(f"def {name}(") for name in names] == [1] * 4
    assert [routes.count(f"def enqueue_{name}(") for name in names] == [1] * 4
    assert_formatted(shop / "app/invoices", shop / "tests/invoices")


def test_another_command_is_not_waited_for_without_end(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TIMEOUT", 0.2)
    with locks.folder_lock(shop):
        assert refused(run, shop, "a.b")[0] == (
            f"Another bgscaffold command is running in this folder: '{shop}'."
        )
    assert run("add", "task", "a.b").code == 0


@pytest.mark.parametrize("name", ["app/signup/tasks.py", "app/new/tasks.py"])
def test_a_file_saved_during_the_command_is_kept(
    name: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = bgscaffold.system.atomic_files.require_unchanged

    def save_before(*files: Any) -> None:
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text("mine\n")
        check(*files)

    monkeypatch.setattr(
        bgscaffold.system.atomic_files, "require_unchanged", save_before
    )
    assert run("add", "task", f"{Path(name).parts[1]}.tidy", "--route") == Outcome(
        1,
        "",
        f"Another process has just changed the file: '{shop / name}'.\n"
        "Run the command again.\n",
    )
    assert (shop / name).read_text() == "mine\n"
    assert not list(shop.rglob("test_tidy.py"))


# ---- Failures while writing ----------------------------------------------------------


@pytest.mark.parametrize("failing", range(5))
def test_a_file_that_cannot_be_replaced(
    failing: int, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three files are new and one is changed. The fifth step is one too many."""
    steps = iter(range(99))
    replace = os.replace

    def fail(source: Path, target: Path) -> None:
        if next(steps) == failing:
            raise OSError(errno.EIO, "Input/output error", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    if failing == 4:
        assert run("add", "task", "signup.tidy", "--route").code == 0
        return
    line = refused(run, shop, "signup.tidy", "--route")[0]
    assert line.startswith("Cannot write the files; nothing was changed: '")
    assert line.endswith("' (Input/output error).")


def test_a_full_disk(run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def fill(path: Path, content: bytes) -> int:
        if "test_tidy" in path.name:
            write(path, content[:5])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fill)
    line = refused(run, shop, "invoices.tidy", "--route")[0]
    assert line.startswith("Cannot write the files; nothing was changed: ")
    assert line.endswith(" (No space left on device).")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(
    number: signal.Signals, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = helpers.tree(shop)
    monkeypatch.setattr(Path, "write_bytes", lambda *_: os.kill(os.getpid(), number))
    assert run("add", "task", "invoices.tidy") == Outcome(
        130, "", "Interrupted; nothing was changed. Run the command again.\n"
    )
    assert helpers.tree(shop) == before
    assert not (shop / "app/invoices").exists()

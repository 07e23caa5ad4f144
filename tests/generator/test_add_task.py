"""`bgscaffold add task`: what it writes, what it says, what it refuses."""

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

import bgscaffold.system.atomic_directory
import bgscaffold.system.atomic_files
from bgscaffold.system import locks
from tests import helpers
from tests.generator.conftest import Machine, Outcome, Run

TASKS = '''\
"""Tasks of the domain `invoices`."""

import logging

from app.background import task


@task("invoices.send_reminder")
def send_reminder(item_id: int) -> None:
    """Do the work for one item. It may run twice, so let twice be as good as once."""
    logging.getLogger(__name__).info("send_reminder: item %d", item_id)
'''
ROUTER = '''\
"""Routes of the domain `invoices`."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.background import BackgroundTasksDep
from app.invoices.tasks import send_reminder

router = APIRouter(tags=["invoices"])


class Accepted(BaseModel):
    """The work is accepted, and will be done after this response."""

    task_id: str


@router.post("/invoices/{item_id}/send-reminder", status_code=202)
async def enqueue_send_reminder(item_id: int, background_tasks: BackgroundTasksDep) -> Accepted:
    """Accept a call of `send_reminder`; the background does it."""
    return Accepted(task_id=background_tasks.add_task(send_reminder, item_id))
'''
TEST = '''\
"""The task `invoices.send_reminder`."""

import pytest

from app.invoices.tasks import send_reminder


def test_the_task_says_what_it_works_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    send_reminder(7)
    assert caplog.messages == ["send_reminder: item 7"]
'''
TEST_OF_ROUTE = '''\
"""The task `invoices.send_reminder`."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.invoices.tasks import send_reminder
from tests.servers import Project, wait_for

Calls = list[tuple[str, list[Any], dict[str, Any]]]


def test_the_task_says_what_it_works_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    asyncio.run(send_reminder(7))
    assert caplog.messages == ["send_reminder: item 7"]


def test_the_route_enqueues_the_task(client: TestClient, enqueued: Calls) -> None:
    answer = client.post("/invoices/7/send-reminder")
    assert (answer.status_code, list(answer.json())) == (202, ["task_id"])
    assert enqueued == [("invoices.send_reminder", [7], {})]


def test_the_real_server_does_it(server: Project) -> None:
    answer = server.post("/invoices/7/send-reminder")
    assert answer.status_code == 202
    line = "send_reminder: item 7"
    wait_for(lambda: line in server.log(server.runner), line)
'''


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project, once."""
    return helpers.render("safe", "none", tmp_path_factory.mktemp("original") / "shop")


@pytest.fixture
def shop(machine: Machine, original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project of the test's own, and stand in it."""
    shutil.copytree(original, machine.here / "shop")
    monkeypatch.chdir(machine.here / "shop")
    return machine.here / "shop"


def changes(project: Path, original: Path) -> dict[str, bytes]:
    """Return every file that differs from what was rendered, with what it holds."""
    before, after = helpers.tree(original), helpers.tree(project)
    assert before.keys() <= after.keys()
    return {
        path: content for path, content in after.items() if before.get(path) != content
    }


# ---- What it writes ------------------------------------------------------------------------------


def test_a_task_in_a_new_domain(run: Run, shop: Path, original: Path) -> None:
    assert run("add", "task", "invoices.send_reminder") == Outcome(
        0,
        f"Added the task invoices.send_reminder to {shop}, pattern safe.\n"
        "  app/invoices/__init__.py              new\n"
        "  tests/invoices/__init__.py            new\n"
        "  app/invoices/tasks.py                 new\n"
        "  tests/invoices/test_send_reminder.py  new\n"
        "\n"
        "Next:\n"
        "  uv run poe dev                start the API\n"
        "  uv run pytest tests/invoices  run the domain's tests\n"
        "\n"
        "Its work goes into send_reminder() in app/invoices/tasks.py.\n"
        "Enqueue it in a route: background_tasks.add_task(send_reminder, 7)\n",
        "",
    )
    assert changes(shop, original) == {
        "app/invoices/__init__.py": b"",
        "tests/invoices/__init__.py": b"",
        "app/invoices/tasks.py": TASKS.encode(),
        "tests/invoices/test_send_reminder.py": TEST.encode(),
    }


def test_an_async_task_with_a_route(run: Run, shop: Path, original: Path) -> None:
    os.chdir(shop / "app" / "actions")
    done = run("add", "task", "invoices.send_reminder", "--async", "--route")
    assert done == Outcome(
        0,
        f"Added the task invoices.send_reminder to {shop}, pattern safe.\n"
        "  app/invoices/__init__.py              new\n"
        "  tests/invoices/__init__.py            new\n"
        "  app/invoices/tasks.py                 new\n"
        "  app/invoices/router.py                new\n"
        "  tests/invoices/test_send_reminder.py  new\n"
        "\n"
        "Next:\n"
        f"  cd {shop}{' ' * max(0, 54 - 3 - len(str(shop)))}".rstrip()
        + "\n"
        f"  {'uv run poe dev':<{wide(shop)}}start the API\n"
        f"  {'curl -X POST localhost:8000/invoices/7/send-reminder':<{wide(shop)}}enqueue it\n"
        f"  {'uv run pytest tests/invoices':<{wide(shop)}}run the domain's tests\n"
        "\n"
        "Its work goes into send_reminder() in app/invoices/tasks.py.\n",
        "",
    )
    assert changes(shop, original) == {
        "app/invoices/__init__.py": b"",
        "tests/invoices/__init__.py": b"",
        "app/invoices/tasks.py": TASKS.replace("def send", "async def send").encode(),
        "app/invoices/router.py": ROUTER.encode(),
        "tests/invoices/test_send_reminder.py": TEST_OF_ROUTE.encode(),
    }


def wide(shop: Path) -> int:
    """Return how wide the column of commands is when the first is to go there."""
    return max(len(f"cd {shop}"), 52) + 2


def test_a_task_in_a_domain_that_is_there(run: Run, shop: Path, original: Path) -> None:
    tasks = (original / "app/signup/tasks.py").read_text()
    router = (original / "app/signup/router.py").read_text()
    assert run("add", "task", "signup.purge", "--route").code == 0
    changed = changes(shop, original)
    assert list(changed) == [
        *("app/signup/router.py", "app/signup/tasks.py", "tests/signup/test_purge.py")
    ]
    assert changed["app/signup/tasks.py"].decode() == (
        tasks.replace("from email.message", "import logging\nfrom email.message")
        + '\n\n@task("signup.purge")\ndef purge(item_id: int) -> None:\n'
        '    """Do the work for one item. It may run twice, so let twice be as good as once."""\n'
        '    logging.getLogger(__name__).info("purge: item %d", item_id)\n'
    )
    assert changed["app/signup/router.py"].decode() == (
        router.replace("import send_welcome", "import purge, send_welcome")
        + '\n\n@router.post("/signup/{item_id}/purge", status_code=202)\n'
        "async def enqueue_purge(item_id: int, background_tasks: BackgroundTasksDep) -> Accepted:\n"
        '    """Accept a call of `purge`; the background does it."""\n'
        "    return Accepted(task_id=background_tasks.add_task(purge, item_id))\n"
    )


def test_it_says_so_in_json(run: Run, shop: Path) -> None:
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


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_a_schedule_in_a_project_that_has_some(
    pattern: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = helpers.render(pattern, "none", tmp_path / "shop", schedule=True)
    monkeypatch.chdir(shop)
    done = run("add", "task", "night.tidy", "--cron", " 0  3 * * *", "--route")
    assert done.code == 0
    assert (shop / "app/night/tasks.py").read_text().split("\n\n\n")[1] == (
        '@task("night.tidy", cron="0 3 * * *")\n'
        "def tidy() -> None:\n"
        '    """Do its work. It may run twice, so let twice be as good as once."""\n'
        '    logging.getLogger(__name__).info("tidy")\n'
    )
    assert (shop / "app/night/router.py").read_text().split("\n\n\n")[2] == (
        '@router.post("/night/tidy", status_code=202)\n'
        "async def enqueue_tidy(background_tasks: BackgroundTasksDep) -> Accepted:\n"
        '    """Accept a call of `tidy`; the background does it."""\n'
        "    return Accepted(task_id=background_tasks.add_task(tidy))\n"
    )
    test = (shop / "tests/night/test_tidy.py").read_text()
    assert '    tidy()\n    assert caplog.messages == ["tidy"]\n' in test
    assert '    assert enqueued == [("night.tidy", [], {})]\n' in test


@pytest.fixture(scope="session")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a project with schedules, once."""
    folder = tmp_path_factory.mktemp("scheduled")
    return helpers.render("safe", "none", folder / "shop", schedule=True)


LONG = f"{'d' * 30}.{'n' * 30}"
OFTEN = "0,10,20,30,40,50 0,2,4,6,8,10,12,14,16,18,20,22 1,8,15,22 * mon-fri"
PARTS = (
    f'"{LONG}"',
    'cron="0 3 * * *"',
    'timezone="UTC"',
)  # 104 columns with all around


@pytest.mark.parametrize(
    ("width", "cron", "decorator"),
    [
        (104, "0  3 * * *", f"@task({', '.join(PARTS)})"),
        (103, "0 3 * * *", f"@task(\n    {', '.join(PARTS)}\n)"),
        (101, "0 3 * * *", f"@task(\n    {', '.join(PARTS)}\n)"),
        (100, "0 3 * * *", "@task(\n    {},\n    {},\n    {},\n)".format(*PARTS)),
        (
            88,
            OFTEN,
            f'@task(\n    {PARTS[0]},\n    cron="{OFTEN}",\n    {PARTS[2]},\n)',
        ),
    ],
)
def test_a_schedule_is_formatted_however_long_it_is(
    width: int, cron: str, decorator: str, run: Run, machine: Machine, scheduled: Path
) -> None:
    shop = shutil.copytree(scheduled, machine.here / "shop")
    (shop / "pyproject.toml").write_text(f"[tool.ruff]\nline-length = {width}\n")
    done = run(
        "add", "task", LONG, "--cron", cron, "--timezone", "UTC", "--path", "shop"
    )
    assert done.code == 0
    folder = shop / "app" / LONG.split(".")[0]
    assert f"\n{decorator}\ndef " in (folder / "tasks.py").read_text()
    assert_formatted(folder)


@pytest.mark.parametrize("width", [72, 79, 88, 100, 120])
def test_it_is_formatted_for_the_projects_own_line_length(
    width: int, run: Run, shop: Path
) -> None:
    (shop / "pyproject.toml").write_text(f"[tool.ruff]\nline-length = {width}\n")
    run("add", "task", "invoices.send_reminder", "--route")
    assert_formatted(shop / "app/invoices")


@pytest.mark.parametrize(
    "options", [[], ["--async"], ["--route"], ["--async", "--route"]]
)
@pytest.mark.parametrize(
    "name", ["a.b", f"{'d' * 30}.b", f"a.{'n' * 30}", f"{'d' * 30}.{'n' * 30}"]
)
def test_it_is_formatted_whatever_it_is_called(
    name: str, options: list[str], run: Run, shop: Path
) -> None:
    run("add", "task", name, *options)
    assert_formatted(
        shop / "app" / name.split(".")[0], shop / "tests" / name.split(".")[0]
    )


def test_without_a_configuration_lines_have_ruffs_own_length(
    run: Run, shop: Path
) -> None:
    (shop / "pyproject.toml").unlink()
    run("add", "task", "invoices.send_reminder", "--route")
    assert_formatted(shop / "app/invoices")


def assert_formatted(*folders: Path) -> None:
    """Let ruff look at what was written, under the configuration of the project."""
    for command in (["format", "--check"], ["check"], ["check", "--isolated"]):
        ruff = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--no-cache",
            *map(str, folders),
        ]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_crlf_and_a_byte_order_mark_stay(run: Run, shop: Path) -> None:
    file = shop / "app/actions/tasks.py"
    raw = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(raw)
    assert run("add", "task", "actions.tidy").code == 0
    after = file.read_bytes()
    assert after.startswith(raw[:3])
    assert after.count(b"\n") == after.count(b"\r\n") == raw.count(b"\n") + 8
    assert raw[-300:] in after


def test_permissions_stay(run: Run, shop: Path) -> None:
    file = shop / "app/actions/tasks.py"
    file.chmod(0o640)
    assert run("add", "task", "actions.tidy").code == 0
    assert file.stat().st_mode & 0o777 == 0o640


def test_an_empty_file_is_as_good_as_none(run: Run, shop: Path) -> None:
    (shop / "app/invoices").mkdir()
    (shop / "app/invoices/tasks.py").write_text("\n")
    assert run("add", "task", "invoices.send_reminder").code == 0
    assert (shop / "app/invoices/tasks.py").read_text() == TASKS


# ---- What it refuses -----------------------------------------------------------------------------


def refused(run: Run, shop: Path, original: Path, *arguments: str) -> str:
    """Run what is refused, see that nothing was changed, and return the first line."""
    before, folders = helpers.tree(shop), sorted(shop.rglob("*"))
    done = run("add", "task", *arguments)
    assert (done.code, done.out) == (1, "")
    assert "\n  allowed: " in done.err
    assert "\n  remedy:  " in done.err
    assert (helpers.tree(shop), sorted(shop.rglob("*"))) == (before, folders)
    return done.err.splitlines()[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tidy", "not two parts with a dot between them"),
        ("a.b.c", "not two parts with a dot between them"),
        ("", "not two parts with a dot between them"),
        (".", "''"),
        ("a.", "''"),
        (".b", "''"),
        ("A.b", "'A'"),
        ("a.B", "'B'"),
        ("1a.b", "'1a'"),
        ("_a.b", "'_a'"),
        ("a-b.c", "'a-b'"),
        ("a.größe", "'größe'"),
        ("\u0430.b", "'\u0430'"),
        ("a.b\n", "'b\\n'"),
        ("a/../b.c", None),
        ("../a.b", None),
        ("a.b/c", "'b/c'"),
        ("a\\b.c", "'a\\\\b'"),
        ("class.b", "'class'"),
        ("a.async", "'async'"),
        ("{{ x }}.b", "'{{ x }}'"),
        ('a.b"', "'b\"'"),
        (f"{'a' * 31}.b", f"'{'a' * 31}'"),
        (f"a.{'b' * 300}", f"'{'b' * 300}'"),
        ("background.b", "'background' is the mechanism's"),
        ("migrations.b", "'migrations' is the mechanism's"),
        ("tasks.b", "'tasks' is the mechanism's"),
        ("celery.b", "'celery' is the mechanism's"),
        ("nul.b", "'nul' is a device of Windows"),
        ("a.test", "'test' means something to pytest"),
        ("a.test_x", "'test_x' means something to pytest"),
        ("a.testing", "'testing' means something to pytest"),
        ("a.pytest_plugins", "'pytest_plugins' means something to pytest"),
        ("a.pytestmark", "'pytestmark' means something to pytest"),
        ("a.pytest_configure", "'pytest_configure' means something to pytest"),
        ("a.setup_module", "'setup_module' means something to pytest"),
        ("a.setup_function", "'setup_function' means something to pytest"),
        ("a.teardown_module", "'teardown_module' means something to pytest"),
        ("a.teardown_function", "'teardown_function' means something to pytest"),
        ("a.task_id", "'task_id' means something else already"),
        ("a.print", "'print' means something else already"),
        ("a.int", "'int' means something else already"),
        ("a.task", "'task' means something else already"),
        ("a.background_tasks", "'background_tasks' means something else already"),
        ("main.b", "app/main.py is a module already"),
        ("settings.b", "app/settings.py is a module already"),
        ("domains.b", "app/domains.py is a module already"),
        ("database.b", "app/database.py is a module already"),
        ("monitoring.b", "app/monitoring.py is a module already"),
        ("servers.b", "tests/servers.py is a module already"),
        ("conftest.b", "tests/conftest.py is a module already"),
    ],
)
def test_a_name_that_is_none(
    name: str, reason: str | None, run: Run, shop: Path, original: Path
) -> None:
    line = refused(run, shop, original, "--", name)
    because = "not two parts with a dot between them" if reason is None else reason
    assert line == f"Not a task name: {name!r} ({because})"


def test_the_words_of_a_refusal(run: Run, shop: Path) -> None:
    assert run("add", "task", "A.b").err == (
        "Not a task name: 'A.b' ('A')\n"
        "  allowed: DOMAIN.NAME, each 1 to 30 of a-z, 0-9 and _, first a letter; no keyword or"
        " builtin of Python, no module of app/ or tests/, no name that the generated code needs"
        " itself or that means something to pytest, no device of Windows\n"
        "  remedy:  choose another name, such as invoices.send_reminder\n"
    )


def test_a_domain_that_is_a_link_out_of_the_project(
    run: Run, shop: Path, original: Path, tmp_path: Path
) -> None:
    (shop / "app/outside").symlink_to(tmp_path)
    assert refused(run, shop, original, "outside.b") == (
        "Not a task name: 'outside.b' (app/outside is a link out of the project)"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@task('actions.tidy')\ndef f() -> None: ...\n", 3),
        ("@bg.task(\n    'actions.tidy', retries=3)\ndef f() -> None: ...\n", 3),
        ("@task(name='actions.tidy')\nasync def f() -> None: ...\n", 3),
        ("NAME = 'actions.tidy'\n\n\n@task(NAME)\ndef f() -> None: ...\n", 6),
        ("NAME: str = 'actions.tidy'\n\n\n@task(name=NAME)\ndef f() -> None: ...\n", 6),
        ("f = task('actions.tidy')(print)\n", 3),
    ],
)
@pytest.mark.parametrize("file", ["tasks.py", "inner/more.py"])
def test_a_task_name_that_is_taken(
    text: str, line: int, file: str, run: Run, shop: Path, original: Path
) -> None:
    other = shop / "app/other" / file
    other.parent.mkdir(parents=True)
    other.write_text(f"from app.background import task\n\n{text}")
    told = f"The name is taken: 'actions.tidy' ({other}, line {line})"
    assert refused(run, shop, original, "actions.tidy") == told


@pytest.mark.parametrize(
    "text",
    [
        "@task('actions.tidy2')\ndef f(): ...\n",
        "@task(NAME)\ndef f(): ...\n",
        "N: str\n@task(N)\ndef f(): ...\n",
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
def test_a_task_name_that_is_not_taken(text: str, run: Run, shop: Path) -> None:
    (shop / "app/other").mkdir()
    (shop / "app/other/tasks.py").write_text(text)
    (shop / "app/other/odd.py").mkdir()
    assert run("add", "task", "actions.tidy").code == 0


def test_a_function_that_is_there(run: Run, shop: Path, original: Path) -> None:
    with (shop / "app/actions/tasks.py").open("a") as tasks:
        tasks.write(
            "\n\ndef tidy() -> None: ...\n\n\n@print()\ndef other() -> None: ...\n"
        )
    assert refused(run, shop, original, "actions.tidy") == (
        f"The name is taken: 'tidy' ({shop}/app/actions/tasks.py has it already)"
    )


@pytest.mark.parametrize("name", ["signup", "enqueue_tidy"])
def test_a_name_in_the_router_that_is_there(
    name: str, run: Run, shop: Path, original: Path
) -> None:
    router = shop / "app/signup/router.py"
    router.write_text(f"{router.read_text()}\n\ndef enqueue_tidy() -> None: ...\n")
    task = f"signup.{name.removeprefix('enqueue_')}"
    assert refused(run, shop, original, task, "--route") == (
        f"The name is taken: {name!r} ({router} has it already)"
    )


def test_a_test_that_is_there(run: Run, shop: Path, original: Path) -> None:
    test = shop / "tests/signup/test_tidy.py"
    told = f"The file is there already: '{test}'"
    test.write_text("# mine\n")
    assert refused(run, shop, original, "signup.tidy") == told
    test.unlink()
    test.symlink_to("nowhere")
    assert refused(run, shop, original, "signup.tidy") == told


def test_a_schedule_in_a_project_without(run: Run, shop: Path, original: Path) -> None:
    assert run("add", "task", "a.b", "--cron", "0 3 * * *").err == (
        "This project cannot run tasks by the clock: '0 3 * * *' (it has no schedules)\n"
        "  allowed: --cron in a project with schedules\n"
        "  remedy:  leave out --cron, or bring the schedules: bgscaffold update --with-schedule\n"
    )
    line = refused(run, shop, original, "a.b", "--cron", "0 25 * * *")
    assert line == "Not a cron expression: '0 25 * * *' (Bad hour)"


def test_where_no_project_is(run: Run, machine: Machine) -> None:
    assert run("add", "task", "a.b") == Outcome(
        1,
        "",
        f"Not a project of bgscaffold: '{machine.here}'"
        " (no .copier-answers.yml here or in a folder above)\n"
        "  allowed: a folder of a project that `bgscaffold new` or `copier copy` has made\n"
        "  remedy:  go into the project, or name its folder\n",
    )


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ("", ".copier-answers.yml names no pattern of bgscaffold"),
        ("pattern: blue\n", ".copier-answers.yml names no pattern of bgscaffold"),
        ("pattern: 'safe'  \n", "it has no app/domains.py"),
    ],
)
def test_a_project_of_somebody_else(
    answers: str, reason: str, run: Run, machine: Machine
) -> None:
    (machine.here / ".copier-answers.yml").write_text(answers)
    done = run("add", "task", "a.b", "--path", ".")
    assert done.err.startswith(
        f"Not a project of bgscaffold: '{machine.here}' ({reason})\n"
    )


# ---- Files that are no plain files ---------------------------------------------------------------


def test_a_link_within_the_project_stays_a_link(run: Run, shop: Path) -> None:
    (shop / "app/signup/tasks.py").rename(shop / "app/signup/work.txt")
    (shop / "app/signup/tasks.py").symlink_to("work.txt")
    assert run("add", "task", "signup.tidy").code == 0
    assert (shop / "app/signup/tasks.py").readlink() == Path("work.txt")
    assert (shop / "app/signup/work.txt").read_text().count("def tidy(") == 1


@pytest.mark.parametrize("file", ["tasks.py", "router.py"])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("link out", "it is a link out of the project"),
        ("link to nothing", "No such file or directory"),
        ("circle", "Too many levels of symbolic links"),
        ("pipe", "it is no file"),
        ("folder", "it is no file"),
        ("read-only", "it is read-only"),
        ("latin-1", "invalid or missing encoding declaration"),
        (
            "odd coding",
            "'hex' is not a text encoding; use codecs.decode() to handle arbitrary codecs",
        ),
        ("null byte", "source code string cannot contain null bytes"),
        ("deep", "it is too deeply nested for Python"),
    ],
)
def test_a_file_that_nobody_could_add_to(
    kind: str, reason: str, file: str, run: Run, shop: Path, tmp_path: Path
) -> None:
    path = shop / "app/signup" / file
    odd(kind, path, tmp_path)
    before = sorted(shop.rglob("*"))
    done = run("add", "task", "signup.purge", "--route")
    assert done.code == 1
    first, allowed, remedy = done.err.splitlines()
    assert first.startswith(f"Cannot add to the file: '{path}' ({reason}")
    assert allowed == (
        "  allowed: a Python file that may be written, without a syntax error, as the formatter"
        " leaves it"
    )
    assert remedy.startswith("  remedy:  mend the file, or ")
    assert sorted(shop.rglob("*")) == before


def odd(kind: str, path: Path, elsewhere: Path) -> None:
    """Make of a file what nobody expects there."""
    text = path.read_text()
    if kind == "read-only":
        path.chmod(0o444)
        return
    path.unlink()
    match kind:
        case "link out":
            (elsewhere / "out.py").write_text(text)
            path.symlink_to(elsewhere / "out.py")
        case "link to nothing":
            path.symlink_to("nothing.py")
        case "circle":
            path.symlink_to(path.name)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "latin-1":
            path.write_bytes("# größe\n".encode("latin-1"))
        case "odd coding":
            path.write_text(f"# coding: hex\n{text}")
        case "null byte":
            path.write_text(f"{text}\0")
        case "deep":
            path.write_text(f"x = {'-' * 20_000}1\n")


@pytest.mark.parametrize("top", ["app", "tests"])
def test_a_package_that_is_a_link_out_of_the_project(
    top: str, run: Run, shop: Path, original: Path, tmp_path: Path
) -> None:
    link = shop / top / "stall/__init__.py"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "outside.py")
    assert refused(run, shop, original, "stall.tidy") == (
        f"Cannot add to the file: '{link}' (it is a link out of the project)"
    )
    assert not (tmp_path / "outside.py").exists()


def test_a_package_that_is_a_link_within_the_project(run: Run, shop: Path) -> None:
    (shop / "app/stall").mkdir()
    (shop / "app/stall/__init__.py").symlink_to("../package.py")
    assert run("add", "task", "stall.tidy").code == 0
    assert (shop / "app/package.py").read_bytes() == b""


def test_a_pipe_among_the_modules_is_not_waited_for(shop: Path) -> None:
    for path in ("app/background/pipe.py", "app/signup/pipe.py"):
        os.mkfifo(shop / path)
    command = helpers.process("add", "task", "a.b", "--cron", "* * * * *")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr.startswith(
        "This project cannot run tasks by the clock: '* * * * *'"
    )


def test_a_configuration_that_may_not_be_read_is_as_good_as_none(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_text

    def denied(path: Path, **options: Any) -> str:
        if path.name == "pyproject.toml":
            raise PermissionError
        return read(path, **options)

    monkeypatch.setattr(Path, "read_text", denied)
    assert run("add", "task", "signup.tidy").code == 0


def test_a_sum_of_many_terms(run: Run, shop: Path) -> None:
    text = f"X = {' + '.join(['1'] * 985)}\n"
    (shop / "app/signup/tasks.py").write_text(text)
    assert run("add", "task", "signup.tidy").code == 0
    assert text in (shop / "app/signup/tasks.py").read_text()


# ---- Two at the same time ------------------------------------------------------------------------


def test_several_at_the_same_time_all_get_in(shop: Path) -> None:
    names = [f"tidy_{number}" for number in range(6)]
    running = [
        subprocess.Popen(
            helpers.process("add", "task", f"invoices.{name}", "--route"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    assert [(process.communicate()[1], process.returncode) for process in running] == [
        ("", 0)
    ] * 6
    tasks, router = (
        (shop / "app/invoices" / file).read_text() for file in ("tasks.py", "router.py")
    )
    assert [tasks.count(f"def {name}(") for name in names] == [1] * 6
    assert [router.count(f"def enqueue_{name}(") for name in names] == [1] * 6
    assert_formatted(shop / "app/invoices", shop / "tests/invoices")


def test_whoever_is_at_work_is_waited_for_but_not_for_ever(
    run: Run, shop: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TIMEOUT", 0.2)
    with locks.folder_lock(shop):
        assert refused(run, shop, original, "a.b") == (
            f"Another bgscaffold is at work in this folder: '{shop}'"
        )
    assert run("add", "task", "a.b").code == 0


@pytest.mark.parametrize(
    "name", ["app/signup/tasks.py", "app/signup/router.py", "app/new/tasks.py"]
)
def test_what_somebody_else_writes_meanwhile_stays(
    name: str, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the system has no locks."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    write = bgscaffold.system.atomic_files.require_unchanged

    def write_before(*files: Any) -> None:
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text("mine\n")
        write(*files)

    monkeypatch.setattr(
        bgscaffold.system.atomic_files, "require_unchanged", write_before
    )
    assert run("add", "task", f"{Path(name).parts[1]}.tidy", "--route") == Outcome(
        1,
        "",
        f"Somebody else has just changed the file: '{shop / name}'\n"
        "  allowed: one who writes at a time\n"
        "  remedy:  run the same command again\n",
    )
    assert (shop / name).read_text() == "mine\n"
    assert not list(shop.rglob("test_tidy.py"))


# ---- What goes wrong on the way ------------------------------------------------------------------


@pytest.mark.parametrize("step", range(6))
def test_a_file_that_cannot_be_put_in_its_place(
    step: int, run: Run, shop: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two new packages, a changed file and a new one; then an old one cannot be replaced."""
    (shop / "app/signup/__init__.py").unlink()
    steps = iter(range(99))
    replace = os.replace

    def fail(source: Path, target: Path) -> None:
        if next(steps) == step:
            raise OSError(errno.EIO, "Input/output error", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    if step < 4:
        line = refused(run, shop, original, "signup.tidy", "--route")
        assert line.startswith("Cannot write the files, nothing was changed: '")
        assert line.endswith("' (Input/output error)")
    else:
        assert run("add", "task", "signup.tidy", "--route").code == 0


def test_a_full_disk(
    run: Run, shop: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def fill(path: Path, content: bytes) -> int:
        if "test_tidy" in path.name:
            write(path, content[:5])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fill)
    assert refused(run, shop, original, "invoices.tidy", "--route") == (
        "Cannot write the files, nothing was changed:"
        f" '{shop}/tests/invoices/test_tidy.py' (No space left on device)"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_on_the_way(
    number: signal.Signals, run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = helpers.tree(shop)
    handlers = [signal.getsignal(each) for each in bgscaffold.system.signals.SIGNALS]
    monkeypatch.setattr(Path, "write_bytes", lambda *_: os.kill(os.getpid(), number))
    done = run("add", "task", "invoices.tidy")
    assert (done.code, done.err.split(":")[0]) == (
        130,
        "Interrupted, nothing was created",
    )
    assert helpers.tree(shop) == before
    assert not (shop / "app/invoices").exists()
    assert [
        signal.getsignal(each) for each in bgscaffold.system.signals.SIGNALS
    ] == handlers


def test_what_nobody_foresaw_changes_nothing_either(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    before = helpers.tree(shop)
    monkeypatch.setattr(bgscaffold.system.atomic_files, "replace_all", fail)
    assert run("add", "task", "invoices.tidy").err.startswith(
        "bgscaffold failed: ZeroDivisionError"
    )
    assert helpers.tree(shop) == before


def test_a_folder_that_is_not_writable(run: Run, shop: Path, original: Path) -> None:
    if os.geteuid() == 0:  # who may write anywhere, but not make a folder of a file
        (shop / "tests/invoices").write_text("mine")
    else:
        (shop / "tests").chmod(0o555)
    line = refused(run, shop, original, "invoices.tidy")
    assert line.startswith("Cannot write the files, nothing was changed: ")


@pytest.mark.skipif(
    not helpers.can_unshare(), reason="this container may not mount a disk"
)
def test_a_disk_that_is_full_in_earnest(original: Path, tmp_path: Path) -> None:
    script = """
        mount -t tmpfs -o size=2m tmpfs "$1"
        cp -r "$2"/. "$1"
        cd "$1"
        cat /dev/zero >fill 2>/dev/null || true
        find . -type f | sort | xargs cksum >/dev/shm/before.$$
        code=0
        shift 2
        "$@" || code=$?
        find . -type f | sort | xargs cksum >/dev/shm/after.$$
        cmp /dev/shm/before.$$ /dev/shm/after.$$ && echo the same
        rm /dev/shm/before.$$ /dev/shm/after.$$
        exit $code
    """
    command = helpers.process("add", "task", "signup.purge", "--route")
    unshared = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-ec",
        script,
        "sh",
    ]
    full = [*unshared, str(tmp_path), str(original), *command]
    done = subprocess.run(full, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "the same\n"), done.stderr
    assert done.stderr.startswith("Cannot write the files, nothing was changed: ")
    assert "(No space left on device)" in done.stderr

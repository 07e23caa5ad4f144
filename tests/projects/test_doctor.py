"""`bgscaffold doctor` on real projects, with what can be wrong with them."""

import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import coverage
import pytest

from bgscaffold.doctor import checks
from bgscaffold.doctor.checks import Finding
from bgscaffold.doctor.supported_versions import FASTAPI_RANGE
from bgscaffold.project.project import Project as FoundProject
from tests import helpers
from tests.projects import services
from tests.projects.environments import PRIVATE, Environment

Render = Callable[..., Path]
Examine = Callable[..., dict[str, Finding]]
MIGRATE = "from app.database import migrate; migrate()"
AT_ONCE = 30.0  # seconds: all limits together, on a busy machine

# The probe runs under the project's Python. Where these tests are measured, so is it: by the coverage
# that they use themselves, which is taken away from the project once it is imported.
MEASURED = """\
import os, runpy, sys
sys.path.append({packages!r})
import coverage
measured = coverage.Coverage({data!r}, data_suffix=True, branch=True, include=[{probe!r}], config_file=False)
measured.start()
sys.path.remove({packages!r})

def leave(code, leave=os._exit):
    sys.path.append({packages!r})
    measured.stop()
    measured.save()
    leave(code)

os._exit = leave
runpy.run_path({probe!r}, run_name="__main__")
"""


@pytest.fixture
def examine(
    newest: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Finding]]:
    """Return how a test has a project examined, with variables of its own."""
    if coverage.Coverage.current():
        measured = tmp_path / "measured.py"
        packages = str(Path(coverage.__file__).parents[1])
        data = str(helpers.ROOT / ".coverage")
        measured.write_text(MEASURED.format(packages=packages, data=data, probe=str(checks.PROBE)))
        monkeypatch.setattr(checks, "PROBE", measured)
    for name in [name for name in os.environ if name.startswith(PRIVATE)]:
        monkeypatch.delenv(name)
    for name, value in newest.variables.items():
        monkeypatch.setenv(name, value)

    def examined(project: Path, **variables: str) -> dict[str, Finding]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        begun = time.monotonic()
        found = checks.run_checks(FoundProject.find(str(project)))
        assert time.monotonic() - begun < AT_ONCE
        text = checks.format_findings(found)
        assert "Traceback" not in text
        assert "geheim" not in text
        for name in variables:
            monkeypatch.delenv(name)
        return {each.what: each for each in found}

    return examined


def problems(found: dict[str, Finding]) -> list[Finding]:
    """Return what is not well."""
    return [each for each in found.values() if each.state != "ok"]


def source(project: Path) -> dict[str, bytes]:
    """Return the files of a project, without what Python compiles."""
    return {path: c for path, c in helpers.tree(project).items() if "__pycache__" not in path}


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_a_new_project_is_well_and_stays_as_it_is(
    pattern: str, rendered: Render, examine: Examine
) -> None:
    project = rendered(pattern)
    before = source(project)
    found = examine(project)
    assert problems(found) == []
    common = ["uv", "git", "answers", "template", "environment", "fastapi", "settings", "tasks"]
    of_celery = ["broker", "beat", "worker"] if pattern == "celery" else []
    assert list(found) == [*common, "database", "migrations", *of_celery]
    assert found["settings"].detail == "they load, ENVIRONMENT is development"
    same = ", the same in API and worker" if pattern == "celery" else ""
    assert found["tasks"].detail == f"2 registered{same}"
    assert found["database"].detail == "var/app.db, which the first start makes"
    assert found["migrations"].detail == "0001, applied at the first start"
    assert all("uv run poe dev" in found[name].detail for name in of_celery[1:])
    assert source(project) == before


def test_the_newest_fastapi_is_one_that_was_tested(rendered: Render, examine: Examine) -> None:
    """If this fails, the contract suite has held on a newer one: write that into tested.py."""
    found = examine(rendered("simple"))["fastapi"]
    assert found.detail.startswith(f"{checks.dotted(FASTAPI_RANGE[1])}.")


def test_a_project_that_is_not_installed(rendered: Render, examine: Examine) -> None:
    found = examine(rendered("simple"), UV_PROJECT_ENVIRONMENT="nowhere")
    assert problems(found) == [
        Finding("FAIL", "environment", "the project is not installed", "uv sync")
    ]


def test_a_package_that_is_not_installed(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(
        text.replace('    "anyio', '    "no-such-thing",\n    "anyio')
    )
    assert problems(examine(project)) == [
        Finding("FAIL", "environment", "not installed: no-such-thing", "uv sync")
    ]


# ---- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "detail"),
    [
        (
            {"LOG_FORMAT": "geheim", "ENVIRONMENT": "geheim"},
            (
                "ENVIRONMENT: Input should be 'production' or 'development';"
                " LOG_FORMAT: Input should be 'json' or 'text'"
            ),
        ),
        ({"TASK_LEASE": "-1"}, "TASK_LEASE: Input should be greater than 0"),
        (
            {"BROKER_URL": "kafka://:geheim@x", "WORKER_METRICS_PORT": "70000"},
            (
                "BROKER_URL: kafka:... is not redis://HOST:PORT/0 or amqp://HOST:PORT//;"
                " WORKER_METRICS_PORT: Input should be less than or equal to 65535"
            ),
        ),
        (
            {"SMTP_URL": "geheim@mail.example.com"},
            "SMTP_URL: it is not smtp://HOST:PORT or smtps://HOST:PORT",
        ),
        (
            {"DATABASE_URL": "geheim"},
            "DATABASE_URL: it is not sqlite:///FILE or postgresql://HOST/NAME",
        ),
        (
            {"DATABASE_URL": "sqlite://"},
            "DATABASE_URL: sqlite:... is not sqlite:///FILE or postgresql://HOST/NAME",
        ),
    ],
)
def test_a_setting_that_is_wrong_is_named_without_its_value(
    variables: dict[str, str], detail: str, rendered: Render, examine: Examine
) -> None:
    assert problems(examine(rendered("celery"), **variables)) == [
        Finding("FAIL", "settings", detail, "correct it in the environment, or in .env"),
        Finding(
            "warn", "the rest", "not looked at, for the settings do not load", "mend them first"
        ),
    ]


def test_settings_that_are_no_python(rendered: Render, examine: Examine) -> None:
    project = rendered("safe")
    with (project / "app" / "settings.py").open("a") as settings:
        settings.write("\nx = (\n")
    found = examine(project)["settings"]
    assert found.state == "FAIL"
    assert found.detail.startswith("app/settings.py, line ")
    assert found.detail.endswith("SyntaxError: '(' was never closed")


def test_settings_from_a_password_manager(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    os.mkfifo(project / ".env")
    serve = "while :; do echo DATABASE_URL=sqlite:///var/mine.db > .env; sleep 0.1; done"
    with subprocess.Popen(["/bin/sh", "-c", serve], cwd=project) as manager:
        found = examine(project)
        manager.kill()
    assert problems(found) == []
    assert found["database"].detail == "var/mine.db, which the first start makes"


# ---- Tasks ---------------------------------------------------------------------------------------

TASK = "from app.background import task\n\n\n@task('odd.work'{})\ndef work() -> None: ...\n"


@pytest.mark.parametrize(
    ("pattern", "file", "text", "detail"),
    [
        (
            "simple",
            "tasks.py",
            "\nimport nowhere\n",
            "app/odd/tasks.py, line 2: ModuleNotFoundError: No module named 'nowhere'",
        ),
        (
            "celery",
            "router.py",
            "x = (\n",
            "app/odd/router.py, line 1: SyntaxError: '(' was never closed",
        ),
        (
            "safe",
            "tasks.py",
            "raise SystemExit('geht')\n",
            "app/odd/tasks.py, line 1: SystemExit: geht",
        ),
        (
            "simple",
            "tasks.py",
            "class Mute(Exception):\n    def __str__(self): return 3\nraise Mute\n",
            "app/odd/tasks.py, line 3: Mute",
        ),
        (
            "async",
            "tasks.py",
            TASK.format(", retries=3"),
            (
                "app/odd/tasks.py, line 4: task 'odd.work' declares retries=3, which pattern"
                " 'async' cannot do. Remove it, or run: bgscaffold promote safe"
            ),
        ),
    ],
)
def test_a_domain_that_stops_the_start(
    pattern: str, file: str, text: str, detail: str, rendered: Render, examine: Examine
) -> None:
    project = with_domain(rendered(pattern), file, text)
    remedy = "mend it: the application does not start like this"
    assert problems(examine(project)) == [Finding("FAIL", "tasks", detail, remedy)]


def with_domain(project: Path, file: str, text: str) -> Path:
    """Add a domain of one file to a project."""
    (project / "app" / "odd").mkdir()
    (project / "app" / "odd" / file).write_text(text)
    return project


def test_a_task_that_workers_do_not_know(rendered: Render, examine: Examine) -> None:
    router = "from fastapi import APIRouter\nrouter = APIRouter()\n"
    project = with_domain(rendered("celery"), "router.py", TASK.format("") + router)
    assert problems(examine(project)) == [
        Finding(
            "FAIL",
            "tasks",
            "known to the API, not to a worker: odd.work",
            "declare each in the tasks.py of its domain, which is all that workers import",
        )
    ]


def test_a_task_that_two_modules_declare(rendered: Render, examine: Examine) -> None:
    project = with_domain(rendered("simple"), "tasks.py", TASK.format(""))
    (project / "app" / "even").mkdir()
    (project / "app" / "even" / "tasks.py").write_text(f"\n\n{TASK.format('')}")
    [finding] = problems(examine(project))
    assert finding.what == "tasks"
    assert finding.detail.startswith(
        "app/odd/tasks.py, line 4: ValueError: @task('odd.work'): <function work at 0x"
    )
    assert finding.detail.endswith(
        "> already has this name. The first is at app/even/tasks.py, line 6."
    )


def test_what_a_pattern_cannot_do_is_told_with_its_place(
    rendered: Render, examine: Examine
) -> None:
    project = with_domain(rendered("simple"), "tasks.py", f"\n{TASK.format(', queue=3')}")
    [finding] = problems(examine(project))
    assert finding.what == "tasks"
    assert finding.detail.startswith("app/odd/tasks.py, line 5: ")
    assert "task 'odd.work' declares queue=3, which pattern 'simple' cannot do." in finding.detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("import os\nos._exit(0)\n", "exit code 0 while this was looked at, and what comes after"),
        (
            "import os\nprint('no licence', flush=True)\nos.abort()\n",
            (
                "exit code -6 while this was looked at, and what comes after;"
                " the last that was printed: no licence"
            ),
        ),
        (
            "raise RuntimeError('x' * 2_000_000)\n",
            f"RuntimeError: {'x' * 986} ...",
        ),
        (
            (
                "import os\nfrom contextlib import suppress\nfor each in range(3, 50):\n"
                "    with suppress(OSError):\n        os.write(each, b'garbage}\\ngarbage')\n"
                "raise RuntimeError('told')\n"
            ),
            "RuntimeError: told",
        ),
        ("while True:\n    print('for ever')\n", "no answer within 15 s"),
        ("import time\ntime.sleep(99)\n", "no answer within 15 s"),
    ],
)
def test_a_domain_that_does_as_it_likes_when_it_is_imported(
    text: str, detail: str, rendered: Render, examine: Examine
) -> None:
    project = with_domain(rendered("simple"), "tasks.py", text)
    finding = examine(project)["tasks"]
    assert (finding.state, finding.detail) == ("FAIL", detail)


def test_a_backend_that_is_not_there(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    (project / "app" / "background" / "backend.py").unlink()
    backend, settings, *_ = problems(examine(project))
    assert (backend.what, backend.detail) == ("backend", "app/background/backend.py is not there")
    assert settings.remedy == "mend it: the application does not start like this"


# ---- The database --------------------------------------------------------------------------------

START_IT = "start it, or correct DATABASE_URL"


def test_sqlite_from_nothing_to_what_nobody_knows(
    rendered: Render, examine: Examine, newest: Environment
) -> None:
    project = rendered("safe")
    file = project / "var" / "app.db"
    file.parent.mkdir()
    file.touch()
    told = "the database is at no revision, the code needs 0001; the next start applies it"
    assert problems(examine(project)) == [Finding("warn", "migrations", told, "uv run poe migrate")]

    newest.run(project, "python", "-c", MIGRATE)
    found = examine(project)
    assert problems(found) == []
    assert found["database"].detail == "sqlite:///var/app.db"
    assert found["migrations"].detail == "current, 0001"

    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    told = "the database is at 9999, which this code does not know"
    newer = (
        "run the code that migrated it; if git has undone that, bring it back and take the database"
        " back first: uv run alembic downgrade, as its report says under Undo"
        "; in development you may remove var/app.db"
    )
    assert problems(examine(project)) == [Finding("FAIL", "migrations", told, newer)]


def test_migrations_that_alembic_cannot_put_in_order(rendered: Render, examine: Examine) -> None:
    project = rendered("safe")
    versions = "app/migrations/versions"
    left = project / versions / "ab12_merge.py"
    left.write_text("revision = 'ab12'\ndown_revision = ('0001', '0002')\n")
    assert problems(examine(project)) == [
        Finding(
            "FAIL",
            "migrations",
            f"{versions}/ab12_merge.py follows 0002, which no file has",
            "remove that file, or restore the one that it follows",
        )
    ]


@pytest.mark.parametrize(
    ("url", "detail", "remedy"),
    [
        ("sqlite:///pyproject.toml", "DatabaseError: file is not a database", START_IT),
        (
            "postgresql+psycopg://ada:geheim@127.0.0.1:1/app",
            (
                'OperationalError: connection failed: connection to server at "127.0.0.1", port 1'
                " failed: Connection refused"
            ),
            START_IT,
        ),
    ],
)
def test_a_database_that_cannot_be_used(
    url: str, detail: str, remedy: str, rendered: Render, examine: Examine
) -> None:
    found = examine(rendered("simple"), DATABASE_URL=url)
    assert problems(found) == [Finding("FAIL", "database", detail, remedy)]
    assert "migrations" not in found


@contextmanager
def silence() -> Iterator[str]:
    """Listen on a port, accept, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_database_and_a_broker_that_never_answer(rendered: Render, examine: Examine) -> None:
    with silence() as database, silence() as broker:
        found = examine(
            rendered("celery"),
            DATABASE_URL=f"postgresql+psycopg://ada:geheim@{database}/app",
            BROKER_URL=f"redis://:geheim@{broker}/0",
        )
    assert {each.what for each in problems(found)} == {"database", "broker"}
    assert found["beat"].state == "ok"
    assert found["broker"].detail == "no answer within 3 s"


def test_postgresql(rendered: Render, examine: Examine, newest: Environment) -> None:
    project = rendered("celery")
    with services.postgres() as database:
        url = database.url.replace("test@", "test:geheim@")
        told = "the database is at no revision, the code needs 0001"
        assert problems(examine(project, DATABASE_URL=url)) == [
            Finding("FAIL", "migrations", told, "uv run poe migrate")
        ]
        newest.run(project, "poe", "migrate", DATABASE_URL=url)
        found = examine(project, DATABASE_URL=url)
    assert problems(found) == []
    assert found["database"].detail == url.replace("geheim", "***")


# ---- The broker, beat ----------------------------------------------------------------------------


def test_the_embedded_broker_in_production(rendered: Render, examine: Examine) -> None:
    found = examine(rendered("celery"), ENVIRONMENT="production")
    [broker] = problems(found)
    assert broker.detail.startswith("BROKER_URL is 'sqla+sqlite:///var/broker.db'")
    assert broker.remedy == "set BROKER_URL to redis://... or amqp://..."


def test_redis(rendered: Render, examine: Examine) -> None:
    project = rendered("celery")
    with services.redis() as redis:
        found = examine(project, BROKER_URL=redis.url)
        assert problems(found) == []
        assert found["broker"].detail == redis.url
        redis.assert_used()
    [broker] = problems(examine(project, BROKER_URL=redis.url))
    assert "Connection refused" in broker.detail


def test_the_beat_of_poe_dev(rendered: Render, examine: Examine, newest: Environment) -> None:
    project = rendered("celery")
    with newest.dev(project) as dev:
        dev.wait_until_succeeded(dev.post("/actions", action_name="sign in"))
        found = examine(project)
    assert problems(found) == []
    assert found["beat"].detail.startswith("one runs on this machine;")
    assert found["worker"].detail == f"alive: celery@{socket.gethostname()}"
    assert found["migrations"].detail == "current, 0001"

"""`bgscaffold doctor` on real projects: what the probe finds in them."""

import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import coverage
import pytest

from bgscaffold.doctor import inside, output
from bgscaffold.doctor.command import find_project, run_checks
from bgscaffold.doctor.findings import Finding, fail, ok, warn
from bgscaffold.doctor.machine import dotted
from bgscaffold.doctor.supported_versions import FASTAPI_RANGE
from tests import helpers
from tests.projects import services
from tests.projects.environments import PRIVATE, Environment

Render = Callable[..., Path]
Examine = Callable[..., dict[str, Finding]]
TIME_LIMIT = 40.0  # seconds, more than the limits of all checks that may wait
FIX_CODE = "Fix this file: the application cannot start"
FIX_SETTINGS = "Correct it in the environment or in .env"
SKIPPED = warn(
    "skipped", "all other checks", "Fix the problem above, and run the command again"
)

# The project's Python runs the probe. To measure its coverage, it gets the coverage
# package of these tests, which is hidden from the project after it has been imported.
MEASURED = """\
import os, runpy, sys
sys.path.append({packages!r})
import coverage
measured = coverage.Coverage({data!r}, data_suffix=True, branch=True,
                             include=[{probe!r}], config_file=False)
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
    newest: Environment,
    rendered: Render,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Examine:
    """Return a function that examines a project with variables of its own.

    The environment is that of a new project of pattern celery, which needs the most.
    """
    environment = newest.variables(rendered("celery", "gitlab"))
    if coverage.Coverage.current():
        measured = tmp_path / "measured.py"
        packages = str(Path(coverage.__file__).parents[1])
        data, probe = str(helpers.ROOT / ".coverage"), str(inside.PROBE)
        code = MEASURED.format(packages=packages, data=data, probe=probe)
        measured.write_text(code)
        monkeypatch.setattr(inside, "PROBE", measured)
    for name in [name for name in os.environ if name.startswith(PRIVATE)]:
        monkeypatch.delenv(name)

    def examined(project: Path, **variables: str) -> dict[str, Finding]:
        started = time.monotonic()
        with monkeypatch.context() as changed:
            for name, value in (environment | variables).items():
                changed.setenv(name, value)
            findings = run_checks(find_project(str(project)))
        assert time.monotonic() - started < TIME_LIMIT
        text = output.findings_text(findings)
        assert "Traceback" not in text
        assert "geheim" not in text
        return {finding.check: finding for finding in findings}

    return examined


def not_ok(findings: dict[str, Finding]) -> list[Finding]:
    """Return the findings that are not ok."""
    return [each for each in findings.values() if each.state != "ok"]


def source(project: Path) -> dict[str, bytes]:
    """Return the files of a project, without those that Python compiles."""
    files = helpers.tree(project)
    return {path: files[path] for path in files if "__pycache__" not in path}


# ---- New projects --------------------------------------------------------------------


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_a_new_project_has_no_problem_and_stays_as_it_is(
    pattern: str, rendered: Render, examine: Examine
) -> None:
    project = rendered(pattern)
    before = source(project)
    findings = examine(project)
    assert not_ok(findings) == []
    machine = ["uv", "git", "answers", "template", "environment", "fastapi"]
    code = ["packages", "settings", "background", "tasks", "env file"]
    durable = ["admin token"] if pattern in ("safe", "celery") else []
    celery = ["broker", "worker"] if pattern == "celery" else []
    names = [*machine, *code, "database", "migrations", *durable, *celery]
    assert [name for name in findings if name != "afterward"] == names
    assert findings["settings"].detail == "valid; ENVIRONMENT is development"
    assert findings["background"].detail == f"pattern {pattern}"
    assert findings["tasks"].detail == "2 registered"
    assert findings["database"].detail == "var/app.db, which the first start creates"
    assert findings["migrations"].detail == "0001; the first start applies them"
    assert source(project) == before


def test_an_application_in_src(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    (project / "src").mkdir()
    (project / "app").rename(project / "src/app")
    assert not_ok(examine(project)) == []


def test_an_application_without_a_database(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    file = project / "app/background.py"
    code = file.read_text()
    for option in ("engine=engine", "sync_engine=sync_engine", "prepare=prepare"):
        assert f"    {option},\n" in code
        code = code.replace(f"    {option},\n", "")
    file.write_text(code)
    findings = examine(project)
    assert not_ok(findings) == []
    assert "database" not in findings


def test_the_newest_fastapi_was_tested(rendered: Render, examine: Examine) -> None:
    """If this fails, run the contract suite, and raise FASTAPI_RANGE if it succeeds."""
    finding = examine(rendered("simple"))["fastapi"]
    assert finding.detail.startswith(f"{dotted(FASTAPI_RANGE[1])}.")


# ---- Packages, settings --------------------------------------------------------------


def test_a_project_that_is_not_installed(rendered: Render, examine: Examine) -> None:
    findings = examine(rendered("simple"), UV_PROJECT_ENVIRONMENT="nowhere")
    assert not_ok(findings) == [
        fail("environment", "the project is not installed", "Run: uv sync")
    ]


def test_a_package_that_is_not_installed(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    file = project / "pyproject.toml"
    added = '    "no-such-thing",\n    "another; sys_platform == \'x\'",\n    "anyio'
    file.write_text(file.read_text().replace('    "anyio', added))
    missing = fail("packages", "not installed: no-such-thing", "Run: uv sync")
    assert not_ok(examine(project)) == [missing, SKIPPED]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("[project\n", "TOMLDecodeError: Expected ']' at the end of a table"),
        ("[project]\n", "KeyError: 'dependencies'"),
    ],
)
def test_a_pyproject_that_cannot_be_read(
    text: str, detail: str, rendered: Render, examine: Examine
) -> None:
    project = rendered("simple")
    (project / "pyproject.toml").write_text(text)
    [finding, skipped] = not_ok(examine(project))
    assert (finding.check, finding.remedy) == ("packages", "Fix pyproject.toml")
    assert finding.detail.startswith(detail)
    assert skipped == SKIPPED


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
        (
            {"BROKER_URL": "kafka://:geheim@x", "WORKER_METRICS_PORT": "70000"},
            (
                "BROKER_URL: kafka:... is not redis://HOST:PORT/0 or amqp://HOST:PORT//;"
                " WORKER_METRICS_PORT: Input should be less than or equal to 65535"
            ),
        ),
        (
            {"SMTP_URL": "geheim@mail.example.com"},
            "SMTP_URL: The value is not smtp://HOST:PORT or smtps://HOST:PORT",
        ),
        (
            {"DATABASE_URL": "sqlite://"},
            "DATABASE_URL: sqlite:... is not sqlite:///FILE or postgresql://HOST/NAME",
        ),
    ],
)
def test_an_invalid_setting_is_named_without_its_value(
    variables: dict[str, str], detail: str, rendered: Render, examine: Examine
) -> None:
    findings = examine(rendered("celery"), **variables)
    assert not_ok(findings) == [fail("settings", detail, FIX_SETTINGS), SKIPPED]


@pytest.mark.parametrize(
    ("file", "check"), [("settings.py", "settings"), ("background.py", "background")]
)
def test_a_syntax_error(
    file: str, check: str, rendered: Render, examine: Examine
) -> None:
    project = rendered("safe")
    code = (project / "app" / file).read_text()
    (project / "app" / file).write_text(f"{code}x = (\n")
    line = code.count("\n") + 1
    [finding, skipped] = not_ok(examine(project))
    error = "SyntaxError: '(' was never closed"
    assert (finding.check, finding.detail) == (
        check,
        f"app/{file}, line {line}: {error}",
    )
    assert skipped == SKIPPED


@pytest.mark.parametrize(
    ("dotenv", "names", "settings"),
    [
        ("DATABSE_URL=geheim", "DATABSE_URL", "DATABASE_URL"),
        ("export databse_url=x", "databse_url", "DATABASE_URL"),
        (
            "ADMINTOKEN=x\nTASK_LEESE=3",
            "ADMINTOKEN, TASK_LEESE",
            "ADMIN_TOKEN, TASK_LEASE",
        ),
    ],
)
def test_a_misspelled_setting(
    dotenv: str, names: str, settings: str, rendered: Render, examine: Examine
) -> None:
    project = rendered("celery")
    (project / ".env").write_text(dotenv)
    detail, remedy = f"no setting has the name {names}", f"Did you mean {settings}?"
    assert not_ok(examine(project)) == [warn("env file", detail, remedy)]


def test_settings_and_names_of_your_own(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    (project / ".env").write_text(
        "ACTION_LOG=var/mine.log\nSTRIPE_KEY=x\nTEST_DATABASE_URL=x\nACTION_LOGS=x\n"
        "SHOP_MODES=x\n"
    )
    tasks = project / "app/actions/tasks.py"
    tasks.write_text(
        f"{tasks.read_text()}from pydantic_settings import BaseSettings\n\n\n"
        "class Shop(BaseSettings, env_prefix='shop_'):\n    modes: str = ''\n\n\n"
        "LOGS = 'ACTION_LOGS'\n"
    )
    assert examine(project)["env file"] == ok("env file", "5 settings")


def test_a_dotenv_that_is_not_a_file(rendered: Render, examine: Examine) -> None:
    project = rendered("simple")
    (project / ".env").mkdir()
    assert examine(project)["env file"] == ok("env file", "not a regular file")


def test_no_admin_token_in_production(rendered: Render, examine: Examine) -> None:
    project = rendered("safe")
    assert not_ok(examine(project, ENVIRONMENT="production")) == [
        warn(
            "admin token",
            "ADMIN_TOKEN is not set, so nobody can list, retry or cancel tasks",
            "Set ADMIN_TOKEN to a random value",
        )
    ]
    findings = examine(project, ENVIRONMENT="production", ADMIN_TOKEN="geheim")
    assert findings["admin token"] == ok("admin token", "set")


# ---- Tasks ---------------------------------------------------------------------------

TASK = "from afterward import task\n\n\n@task('odd.work'{})\ndef work() -> None: ...\n"


def with_domain(project: Path, file: str, text: str) -> Path:
    """Add a domain with one file to a project."""
    (project / "app" / "odd").mkdir()
    (project / "app" / "odd" / file).write_text(text)
    return project


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
            "raise SystemExit('text')\n",
            "app/odd/tasks.py, line 1: SystemExit: text",
        ),
        (
            "simple",
            "tasks.py",
            "class Mute(Exception):\n    def __str__(self): return 3\nraise Mute\n",
            "Mute",
        ),
        (
            "simple",
            "tasks.py",
            "raise ValueError\n",
            "app/odd/tasks.py, line 1: ValueError",
        ),
        (
            "simple",
            "tasks.py",
            "class Odd(Exception):\n    errors = ('x',)\nraise Odd('text')\n",
            "app/odd/tasks.py, line 3: Odd: text",
        ),
        ("simple", "tasks.py", "raise OSError('text')\n", "OSError: text"),
        ("simple", "tasks.py", "open('/no/file')\n", "FileNotFoundError: [Errno 2]"),
        (
            "simple",
            "tasks.py",
            "raise RuntimeError('x' * 2_000_000)\n",
            f"app/odd/tasks.py, line 1: RuntimeError: {'x' * 960} ...",
        ),
        (
            "simple",
            "tasks.py",
            "from afterward import StartupError\nraise StartupError('text')\n",
            "text",
        ),
    ],
)
def test_a_domain_that_stops_the_start(
    pattern: str,
    file: str,
    text: str,
    detail: str,
    rendered: Render,
    examine: Examine,
) -> None:
    project = with_domain(rendered(pattern), file, text)
    [finding] = not_ok(examine(project))
    assert (finding.check, finding.remedy) == ("tasks", FIX_CODE)
    assert finding.detail.startswith(detail)
    assert finding.detail.endswith((detail, "'/no/file'"))


def test_a_task_that_workers_do_not_know(rendered: Render, examine: Examine) -> None:
    router = "from fastapi import APIRouter\nrouter = APIRouter()\n"
    project = with_domain(rendered("celery"), "router.py", TASK.format("") + router)
    assert not_ok(examine(project)) == [
        fail(
            "tasks",
            "the worker does not know: odd.work",
            "Declare them in tasks.py or tasks/*.py",
        )
    ]


def test_a_task_that_two_modules_declare(rendered: Render, examine: Examine) -> None:
    project = with_domain(rendered("simple"), "tasks.py", TASK.format(""))
    (project / "app" / "even").mkdir()
    (project / "app" / "even" / "tasks.py").write_text(TASK.format(""))
    detail = (
        "app/odd/tasks.py, line 4: ValueError: @task('odd.work'):"
        " app.even.tasks.work already has this name."
    )
    assert not_ok(examine(project)) == [fail("tasks", detail, FIX_CODE)]


@pytest.mark.parametrize(
    ("options", "target"), [("retries=3", "safe"), ("queue='x', retries=3", "celery")]
)
def test_an_option_that_the_pattern_does_not_support(
    options: str, target: str, rendered: Render, examine: Examine
) -> None:
    task = TASK.format(f", {options}")
    project = with_domain(rendered("async"), "tasks.py", f"\n{task}")
    names = ", ".join(sorted(option.split("=")[0] for option in options.split(", ")))
    assert not_ok(examine(project)) == [
        fail(
            "tasks",
            f"app/odd/tasks.py, line 5: pattern async does not support {names}",
            f"Remove it, or run: bgscaffold promote {target}",
        )
    ]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (
            "import os\nos.kill(os.getpid(), 9)\n",
            "importing the project ended the check (exit code -9)",
        ),
        (
            "import os\nprint('no licence', flush=True)\nos.abort()\n",
            (
                "importing the project ended the check (exit code -6); its last output:"
                " no licence"
            ),
        ),
        (
            (
                "import os\nfrom contextlib import suppress\nfor each in range(3, 50):\n"
                "    with suppress(OSError):\n        os.write(each, b'garbage}\\n{')\n"
                "raise RuntimeError('text')\n"
            ),
            "app/odd/tasks.py, line 6: RuntimeError: text",
        ),
        ("while True:\n    print('without end')\n", "no answer within 15 s"),
        ("import time\ntime.sleep(99)\n", "no answer within 15 s"),
    ],
)
def test_code_that_misbehaves_when_it_is_imported(
    text: str, detail: str, rendered: Render, examine: Examine
) -> None:
    project = with_domain(rendered("simple"), "tasks.py", text)
    finding = examine(project)["tasks"]
    assert (finding.state, finding.detail) == ("FAIL", detail)


# ---- The database --------------------------------------------------------------------

MIGRATE = "from app.database import prepare; prepare()"
FIX_DATABASE = "Start the database, or correct DATABASE_URL"
RUN_MIGRATE = "Run: uv run poe migrate"


def test_a_sqlite_database(
    rendered: Render, examine: Examine, newest: Environment
) -> None:
    project = rendered("safe")
    file = project / "var" / "app.db"
    file.parent.mkdir()
    file.touch()
    detail = "the database is at no revision, and the code needs 0001"
    assert not_ok(examine(project)) == [
        warn("migrations", f"{detail}; the next start applies it", RUN_MIGRATE)
    ]

    newest.run(project, "python", "-c", MIGRATE)
    findings = examine(project)
    assert not_ok(findings) == []
    assert findings["database"].detail == "sqlite:///var/app.db"
    assert findings["migrations"].detail == "current (0001)"

    execute(file, "UPDATE afterward_schema SET version = 0")
    detail = "the outbox has schema 0, and the code needs 1"
    remedy = f"Run: uv run python -m afterward migration. Then {RUN_MIGRATE}"
    assert not_ok(examine(project)) == [fail("migrations", detail, remedy)]

    execute(file, "UPDATE alembic_version SET version_num = '9999'")
    detail = "the database is at 9999, which this code lacks"
    remedy = (
        "Run the code that migrated it, or downgrade the database with that code:"
        " uv run alembic downgrade"
    )
    assert not_ok(examine(project)) == [fail("migrations", detail, remedy)]


def execute(file: Path, statement: str) -> None:
    """Execute a statement in a SQLite database."""
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()


def test_a_folder_without_permission(
    rendered: Render, examine: Examine, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()  # root may write everywhere, but not below a file
    url = f"sqlite:///{tmp_path}/file/app.db"
    findings = examine(rendered("simple"), DATABASE_URL=url)
    assert findings["database"].state == "FAIL"
    assert "migrations" not in findings


def test_migrations_that_alembic_cannot_order(
    rendered: Render, examine: Examine
) -> None:
    project = rendered("safe")
    file = "app/migrations/versions/ab12_merge.py"
    (project / file).write_text("revision = 'ab12'\ndown_revision = ('0001', '0002')\n")
    revisions, migrations = not_ok(examine(project))
    assert revisions == fail(
        "revisions",
        f"{file} follows 0002, which does not exist",
        "Remove the file, or restore the one that it follows",
    )
    assert (migrations.check, migrations.state) == ("migrations", "FAIL")


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("sqlite:///pyproject.toml", "DatabaseError: file is not a database"),
        (
            "postgresql+psycopg://ada:geheim@127.0.0.1:1/app",
            (
                'OperationalError: connection failed: connection to server at "127.0.0.1",'
                " port 1 failed: Connection refused"
            ),
        ),
    ],
)
def test_a_database_that_cannot_be_used(
    url: str, detail: str, rendered: Render, examine: Examine
) -> None:
    findings = examine(rendered("simple"), DATABASE_URL=url)
    assert not_ok(findings) == [fail("database", detail, FIX_DATABASE)]
    assert "migrations" not in findings


@contextmanager
def silent_server() -> Iterator[str]:
    """Listen on a port, accept connections, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_database_and_a_broker_that_never_answer(
    rendered: Render, examine: Examine
) -> None:
    with silent_server() as database, silent_server() as broker:
        findings = examine(
            rendered("celery"),
            DATABASE_URL=f"postgresql+psycopg://ada:geheim@{database}/app",
            BROKER_URL=f"redis://:geheim@{broker}/0",
        )
    assert [finding.check for finding in not_ok(findings)] == ["database", "broker"]
    assert findings["broker"].detail == "no answer within 3 s"


def test_postgresql(rendered: Render, examine: Examine, newest: Environment) -> None:
    project = rendered("celery")
    with services.postgres() as database:
        url = database.url.replace("test@", "test:geheim@")
        detail = "the database is at no revision, and the code needs 0001"
        assert not_ok(examine(project, DATABASE_URL=url)) == [
            fail("migrations", detail, RUN_MIGRATE)
        ]
        newest.run(project, "poe", "migrate", DATABASE_URL=url)
        findings = examine(project, DATABASE_URL=url)
    assert not_ok(findings) == []
    assert findings["database"].detail == url.replace("geheim", "***")


# ---- Celery --------------------------------------------------------------------------


def test_the_embedded_broker_in_production(rendered: Render, examine: Examine) -> None:
    findings = examine(
        rendered("celery"), ENVIRONMENT="production", ADMIN_TOKEN="geheim"
    )
    [broker] = not_ok(findings)
    assert broker.detail.startswith("BROKER_URL is 'sqla+sqlite:///var/broker.db'")
    assert broker.remedy == (
        "Start the broker, or set BROKER_URL to redis://... or amqp://..."
    )


def test_redis(rendered: Render, examine: Examine) -> None:
    project = rendered("celery")
    with services.redis() as redis:
        findings = examine(project, BROKER_URL=redis.url)
        assert not_ok(findings) == []
        assert findings["broker"].detail == redis.url
        redis.assert_used()
    [broker] = not_ok(examine(project, BROKER_URL=redis.url))
    assert "Connection refused" in broker.detail


def test_a_running_worker(
    rendered: Render, examine: Examine, newest: Environment
) -> None:
    project = rendered("celery")
    none = "none on this machine; to start one: uv run poe dev"
    assert examine(project)["worker"] == ok("worker", none)
    with newest.dev(project) as dev:
        dev.wait_until_succeeded(dev.post("/actions", action_name="sign in"))
        findings = examine(project)
    assert not_ok(findings) == []
    assert findings["worker"].detail == f"alive: celery@{socket.gethostname()}"
    assert findings["migrations"].detail == "current (0001)"

"""Checks a project from inside, for `bgscaffold doctor`.

The project's own Python runs this file in the project's folder, so it finds what the
API and a worker find. It imports the project's code, and nothing of bgscaffold, which
is not installed there. It prints JSON objects, one on each line: the versions, then
{"started": CHECK} and a finding for each check, and {"done": true} at the end. If the
last one is missing, the project's code has ended the process.
"""

import difflib
import json
import os
import platform
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

NETWORK_TIMEOUT = 3.0  # seconds for a check that asks a server
IMPORT_TIMEOUT = 15.0  # seconds for a check that imports the project's code
CONNECT_TIMEOUT = 2  # seconds, less than NETWORK_TIMEOUT
WORKER_TIMEOUT = 30.0  # seconds since a worker's last sign of life
MAX_MESSAGE = 8_000  # characters of an error; a part of a secret cannot be redacted
SIMILARITY = 0.85  # of a misspelt name; 1 is the same
MIGRATE = "Run: uv run poe migrate"
FIX_CODE = "Fix this file: the application cannot start"
# What to do when a check fails with an error.
REMEDIES = {
    "packages": "Fix pyproject.toml",
    "settings": "Correct it in the environment or in .env",
    "background": FIX_CODE,
    "tasks": FIX_CODE,
    "env file": "Make the file readable",
    "database": "Start the database, or correct DATABASE_URL",
    "migrations": "Check the files in migrations/versions/",
    "admin token": "Correct it in the environment or in .env",
    "broker": "Start the broker, or set BROKER_URL to redis://... or amqp://...",
    "worker": "Make the folder var/ readable",
}

Finding = dict[str, str]
Message = dict[str, Any]


def ok(check: str, detail: str) -> Finding:
    """Return that nothing is wrong."""
    return {
        "state": "ok",
        "check": check,
        "detail": detail,
        "remedy": "",
    }


def warn(check: str, detail: str, remedy: str) -> Finding:
    """Return something that the user should know."""
    return {
        "state": "warn",
        "check": check,
        "detail": detail,
        "remedy": remedy,
    }


def fail(check: str, detail: str, remedy: str) -> Finding:
    """Return something that the user must fix."""
    return {
        "state": "FAIL",
        "check": check,
        "detail": detail,
        "remedy": remedy,
    }


class Probe:
    """The checks of one project."""

    def __init__(self, package: Path, send: Callable[[Message], None]) -> None:
        self.package = package
        self.send = send

    def run(self) -> None:
        """Run the checks, as far as earlier ones allow."""
        self.send({"versions": versions()})
        for check in (check_packages, self.check_settings, self.check_background):
            if not self.run_check(check, IMPORT_TIMEOUT):
                remedy = "Fix the problem above, and run the command again"
                self.send(
                    warn(
                        check="skipped",
                        detail="all other checks",
                        remedy=remedy,
                    )
                )
                return
        self.run_check(self.check_tasks, IMPORT_TIMEOUT)
        self.run_check(self.check_env_file, IMPORT_TIMEOUT)
        has_database = self.background.has_database
        if has_database and self.run_check(self.check_database, NETWORK_TIMEOUT):
            self.run_check(self.check_migrations, NETWORK_TIMEOUT)
        if self.background.backend.is_durable:
            self.run_check(self.check_admin_token, IMPORT_TIMEOUT)
        if self.is_celery:
            self.run_check(self.check_broker, NETWORK_TIMEOUT)
            self.run_check(self.check_worker, NETWORK_TIMEOUT)

    def run_check(self, check: Callable[[], Finding], timeout: float) -> bool:
        """Run one check within a time limit, and return whether all is well."""
        name = check.__name__.removeprefix("check_").replace("_", " ")
        remedy = REMEDIES[name]
        self.send({"started": name})
        results = [
            fail(
                check=name,
                detail=f"no answer within {timeout:g} s",
                remedy=remedy,
            )
        ]

        def run() -> None:
            try:
                result = check()
            except BaseException as error:  # noqa: BLE001  # the project may raise any
                result = fail(
                    check=name,
                    detail=self.describe(error),
                    remedy=remedy,
                )
            results.append(result)

        thread = Thread(target=run, daemon=True)
        thread.start()
        thread.join(timeout)
        result = results[-1]
        self.send(result)
        return result["state"] == "ok"

    # ---- Settings, tasks -------------------------------------------------------------

    def module(self, name: str) -> Any:
        """Import a module of the application."""
        return import_module(f"{self.package.name}.{name}")

    @property
    def background(self) -> Any:
        """The application's `Background`."""
        return self.module("background").background

    @property
    def is_celery(self) -> bool:
        """Whether the pattern has a broker."""
        return bool(self.background.backend.name == "celery")

    def check_settings(self) -> Finding:
        """Load the settings of the application and of the runtime."""
        self.module("settings")
        return ok("settings", f"valid; ENVIRONMENT is {runtime_settings().environment}")

    def check_background(self) -> Finding:
        """Import `background.py`, which connects the backend with the application."""
        return ok("background", f"pattern {self.background.backend.name}")

    def check_tasks(self) -> Finding:
        """Import the tasks as a worker does, then the API, and compare them."""
        known: dict[str, Any] = import_module("afterward.tasks").TASKS
        self.background.domains.import_tasks()
        known_to_worker = set(known)
        self.module("main")
        supported = self.background.backend.supports
        for task in known.values():
            unsupported = task.options.keys() - supported
            if unsupported:
                return self.unsupported(task, sorted(unsupported))
        missing = sorted(known.keys() - known_to_worker)
        if missing and self.is_celery:
            names = ", ".join(missing)
            remedy = "Declare them in tasks.py or tasks/*.py"
            return fail(
                check="tasks",
                detail=f"the worker does not know: {names}",
                remedy=remedy,
            )
        return ok("tasks", f"{len(known)} registered")

    def unsupported(self, task: Any, options: list[str]) -> Finding:
        """Return that the backend lacks options of a task."""
        code = task.func.__code__
        place = format_place(code.co_filename, code.co_firstlineno)
        pattern = self.background.backend.name
        names = ", ".join(options)
        target = "celery" if "queue" in options else "safe"
        return fail(
            check="tasks",
            detail=f"{place}: pattern {pattern} does not support {names}",
            remedy=f"Remove it, or run: bgscaffold promote {target}",
        )

    def check_env_file(self) -> Finding:
        """Find names in `.env` that are almost those of settings."""
        file = Path(".env")
        if not file.is_file():  # a pipe would be emptied
            return ok("env file", "not a regular file" if file.exists() else "no .env")
        from dotenv import dotenv_values

        given = dotenv_values(file, interpolate=False)
        misspelt = self.misspelt_settings(list(given))
        if misspelt:
            names = ", ".join(misspelt)
            settings = ", ".join(dict.fromkeys(misspelt.values()))
            detail = f"no setting has the name {names}"
            return warn(
                check="env file",
                detail=detail,
                remedy=f"Did you mean {settings}?",
            )
        return ok("env file", f"{len(given)} settings")

    def misspelt_settings(self, names: list[str]) -> dict[str, str]:
        """Return the names that are almost those of settings, with the settings."""
        known = setting_names()
        found = {}
        for name in names:
            setting = similar_setting(name, known)
            if setting and not self.mentions(name):
                found[name] = setting
        return found

    def mentions(self, name: str) -> bool:
        """Return whether the application's own code contains a name."""
        word = re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)
        for file in self.package.rglob("*.py"):
            if file.is_file() and word.search(file.read_text("utf-8", "replace")):
                return True
        return False

    def check_admin_token(self) -> Finding:
        """Check that administrators can use the API in production."""
        settings = runtime_settings()
        if settings.admin_token:
            return ok("admin token", "set")
        if settings.environment == "development":
            return ok("admin token", "not needed in development")
        detail = "ADMIN_TOKEN is not set, so nobody can list, retry or cancel tasks"
        return warn(
            check="admin token",
            detail=detail,
            remedy="Set ADMIN_TOKEN to a random value",
        )

    # ---- The database ----------------------------------------------------------------

    @property
    def url(self) -> Any:
        """The URL of the database."""
        return self.background.database.sync_engine.url

    @property
    def sqlite_file(self) -> Path | None:
        """The file of a SQLite database."""
        is_sqlite = self.url.get_backend_name() == "sqlite"
        return Path(self.url.database) if is_sqlite else None

    def check_database(self) -> Finding:
        """Connect to the database, and create nothing."""
        file = self.sqlite_file
        if file and not file.exists():
            return ok("database", f"{file}, which the first start creates")
        with self.engine().connect() as connection:
            # SQLite reads the file at the first statement about its content.
            statement = "PRAGMA schema_version" if file else "SELECT 1"
            connection.exec_driver_sql(statement)
        return ok("database", self.url.render_as_string(hide_password=True))

    def engine(self) -> Any:
        """Return an engine that writes nothing and does not wait long."""
        from sqlalchemy import NullPool, create_engine

        url: Any = self.url
        options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT}
        if file := self.sqlite_file:
            path = quote(str(file.absolute()))
            url = f"sqlite+pysqlite:///file:{path}?mode=ro&uri=true"
            options = {"timeout": CONNECT_TIMEOUT}
        return create_engine(url, poolclass=NullPool, connect_args=options)

    def check_migrations(self) -> Finding:
        """Compare the schema of the database with the one that the code needs."""
        from alembic.runtime.migration import MigrationContext

        needed, known = self.revisions()
        file = self.sqlite_file
        if file and not file.exists():
            detail = f"{listed(needed)}; the first start applies them"
            return ok("migrations", detail)
        with self.engine().connect() as connection:
            context = MigrationContext.configure(connection)
            present = set(context.get_current_heads())
            if present == needed:
                return self.schema(connection, needed)
        return self.outdated(present, needed, known)

    def revisions(self) -> tuple[set[str], set[str]]:
        """Return the newest revisions of the code, and all of them."""
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        folder = f"{self.package.name}:migrations"
        config.set_main_option("script_location", folder)
        config.set_main_option("path_separator", "os")
        scripts = ScriptDirectory.from_config(config)
        known = {script.revision for script in scripts.walk_revisions()}
        return set(scripts.get_heads()), known

    def outdated(self, present: set[str], needed: set[str], known: set[str]) -> Finding:
        """Return that the database has another revision than the code needs."""
        detail = f"the database is at {listed(present)}"
        if present - known:
            remedy = (
                "Run the code that migrated it, or downgrade the database with that"
                " code: uv run alembic downgrade"
            )
            return fail(
                check="migrations",
                detail=f"{detail}, which this code lacks",
                remedy=remedy,
            )
        detail += f", and the code needs {listed(needed)}"
        if self.sqlite_file:
            detail += "; the next start applies it"
            return warn(
                check="migrations",
                detail=detail,
                remedy=MIGRATE,
            )
        return fail(
            check="migrations",
            detail=detail,
            remedy=MIGRATE,
        )

    def schema(self, connection: Any, revisions: set[str]) -> Finding:
        """Check the version of the outbox's schema, which a migration brings."""
        migrations = import_module("afterward.outbox.migrations")
        needed = len(migrations.STEPS)
        statement = f"SELECT version FROM {migrations.VERSION_TABLE}"
        version = connection.exec_driver_sql(statement).scalar()
        if version != needed:
            detail = f"the outbox has schema {version}, and the code needs {needed}"
            remedy = f"Run: uv run python -m afterward migration. Then {MIGRATE}"
            return fail(
                check="migrations",
                detail=detail,
                remedy=remedy,
            )
        return ok("migrations", f"current ({listed(revisions)})")

    # ---- Celery ----------------------------------------------------------------------

    def check_broker(self) -> Finding:
        """Connect to the broker once."""
        settings = runtime_settings()
        settings.require_production_broker()
        if settings.uses_embedded_broker:
            return ok("broker", "embedded, for development")
        app = self.background.backend.app
        with app.connection_for_write(connect_timeout=CONNECT_TIMEOUT) as connection:
            connection.ensure_connection(
                max_retries=1,
                interval_start=0,
                timeout=CONNECT_TIMEOUT,
            )
            connection.default_channel.close()
            # It would show a password that is not there as hidden.
            url = connection.as_uri(include_password=not connection.password)
            return ok("broker", url)

    def check_worker(self) -> Finding:
        """Name the workers that have shown a sign of life in this folder."""
        oldest = time.time() - WORKER_TIMEOUT
        signs = sorted(Path("var").glob("*.alive"))
        alive = [sign.stem for sign in signs if sign.stat().st_mtime >= oldest]
        if alive:
            return ok("worker", f"alive: {', '.join(alive)}")
        return ok("worker", "none on this machine; to start one: uv run poe dev")

    # ---- Errors ----------------------------------------------------------------------

    def describe(self, error: BaseException) -> str:
        """Return where an error comes from and what it says."""
        try:
            place = self.place(error)
            message = summarize(error)[:MAX_MESSAGE]
        except BaseException:  # noqa: BLE001  # the class is the project's own
            return type(error).__name__
        return f"{place}: {message}" if place else message

    def place(self, error: BaseException) -> str:
        """Return the line of the project's code that an error comes from."""
        if isinstance(error, OSError) or is_explained(error):
            return ""
        places = list(frames(error))
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno or 0))
        folder = f"{self.package.absolute()}{os.sep}"
        for file, line in reversed(places):
            if file.startswith(folder):
                return format_place(file, line)
        return ""


def versions() -> dict[str, str]:
    """Return what is installed."""
    return {"python": platform.python_version(), "fastapi": version("fastapi")}


def version(package: str) -> str:
    """Return the installed version of a package, '' if there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def check_packages() -> Finding:
    """Find dependencies in pyproject.toml that are not installed."""
    with open("pyproject.toml", "rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    # One with a marker, as in `x; sys_platform == "win32"`, may not be needed here.
    needed = [line for line in dependencies if ";" not in line]
    names = [re.split(r"[^\w.-]", line)[0] for line in needed]
    missing = [name for name in names if not version(name)]
    if missing:
        return fail(
            check="packages",
            detail=f"not installed: {', '.join(missing)}",
            remedy="Run: uv sync",
        )
    return ok("packages", f"{len(names)} installed")


def runtime_settings() -> Any:
    """Return the settings of the runtime."""
    return import_module("afterward.settings").get_settings()


def setting_names() -> set[str]:
    """Return the variables that the imported settings are read from."""
    from pydantic_settings import BaseSettings

    names = set()
    for settings in subclasses(BaseSettings):
        prefix = settings.model_config.get("env_prefix", "")
        for field in settings.model_fields:
            names.add(f"{prefix}{field}".upper())
    return names


def subclasses(parent: Any) -> Iterator[Any]:
    """Yield the subclasses of a class, and theirs."""
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


def similar_setting(name: str, known: set[str]) -> str:
    """Return the setting that a name is almost, '' if there is none.

    TEST_DATABASE_URL has one word more than DATABASE_URL, and is another name.
    """
    if name.upper() in known:
        return ""
    words = name.count("_")
    settings = [each for each in sorted(known) if each.count("_") >= words]
    matches = difflib.get_close_matches(name.upper(), settings, 1, SIMILARITY)
    return matches[0] if matches else ""


def listed(revisions: set[str]) -> str:
    """Return revisions as text."""
    return ", ".join(sorted(revisions)) or "no revision"


def frames(error: BaseException) -> Iterator[tuple[str, int]]:
    """Yield the files and lines that an error has passed.

    `traceback` would obey `sys.tracebacklimit`, which the runtime sets to 0.
    """
    traceback = error.__traceback__
    while traceback:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def format_place(file: str, line: int) -> str:
    """Return a line of the project as text."""
    return f"{Path(file).relative_to(Path.cwd()).as_posix()}, line {line}"


def is_explained(error: BaseException) -> bool:
    """Return whether the message of an error says what to correct."""
    is_of_driver = hasattr(error, "orig")
    is_of_runtime = type(error).__name__ == "StartupError"
    return is_of_driver or is_of_runtime or bool(invalid_settings(error))


def summarize(error: BaseException) -> str:
    """Return the first line of an error, or each invalid setting without its value."""
    if invalid := invalid_settings(error):
        return invalid
    error = getattr(error, "orig", None) or error  # the driver's own
    lines = error_text(error).strip().splitlines()
    kind = type(error).__name__
    if not lines:
        return kind
    return lines[0] if kind == "StartupError" else f"{kind}: {lines[0]}"


def error_text(error: BaseException) -> str:
    """Return the text of an error, '' if it has none."""
    if isinstance(error, SyntaxError):
        return str(error.msg or "")
    return str(error)


def invalid_settings(error: Any) -> str:
    """Return the settings that a pydantic error names, '' for any other error."""
    messages = []
    with suppress(AttributeError, TypeError, KeyError):
        for each in error.errors(include_url=False, include_input=False):
            name = ".".join(map(str, each["loc"])).upper()
            message = each["msg"].removeprefix("Value error, ")
            messages.append(f"{name}: {message}")
    return "; ".join(messages)


def main(package: str) -> None:
    """Run the checks of the application in a folder, and print their findings."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the project prints when it is imported goes to stderr

    def send(message: Message) -> None:
        # On a line of its own, because the project may print to this descriptor too.
        print(f"\n{json.dumps(message)}", file=results, flush=True)

    folder = Path(package)
    sys.path[:0] = [str(Path.cwd()), str(folder.parent.absolute())]
    Probe(folder, send).run()
    send({"done": True})
    os._exit(0)  # a thread may still wait for a server


if __name__ == "__main__":
    main(sys.argv[1])

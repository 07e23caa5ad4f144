"""Checks a project from inside, for `bgscaffold doctor`.

The project's own Python runs this file in the project's folder, so it finds what the API
and a worker would find. It imports the project's code, and nothing of bgscaffold, which
is not installed there. It prints JSON objects, one on each line: the versions, then
{"started": CHECK} and a finding for each check, and {"done": true} at the end. If that is
missing, the project's code has ended the process.
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
FIX_CODE = "Fix it: the application does not start"
FIX_SETTINGS = "Correct it in the environment or in .env"
FIX_DATABASE = "Start it, or correct DATABASE_URL"
FIX_BROKER = "Start it, or set BROKER_URL to redis://... or amqp://..."
MIGRATE = "Run: uv run poe migrate"

Finding = dict[str, str]
Message = dict[str, Any]


def ok(check: str, detail: str) -> Finding:
    """Return that nothing is wrong."""
    return {"state": "ok", "check": check, "detail": detail, "remedy": ""}


def warn(check: str, detail: str, remedy: str) -> Finding:
    """Return something that the user should know."""
    return {"state": "warn", "check": check, "detail": detail, "remedy": remedy}


def fail(check: str, detail: str, remedy: str) -> Finding:
    """Return something that the user must fix."""
    return {"state": "FAIL", "check": check, "detail": detail, "remedy": remedy}


class Probe:
    """The checks of one project."""

    def __init__(self, package: Path, send: Callable[[Message], None]) -> None:
        self.package = package
        self.send = send

    def run(self) -> None:
        """Run the checks, as far as earlier ones allow."""
        self.send({"versions": versions()})
        basics = (
            self.check("packages", check_packages, IMPORT_TIMEOUT, "Run: uv sync")
            and self.check("settings", self.settings, IMPORT_TIMEOUT, FIX_SETTINGS)
            and self.check("background", self.backend, IMPORT_TIMEOUT, FIX_CODE)
        )
        if not basics:
            remedy = "Fix the problem above, and run the command again"
            self.send(warn("skipped", "all other checks", remedy))
            return
        self.check("tasks", self.tasks, IMPORT_TIMEOUT, FIX_CODE)
        self.check(".env", self.dotenv, IMPORT_TIMEOUT, "Make it readable")
        if self.background.has_database:
            self.check_database()
        if self.background.backend.is_durable:
            self.check("admin token", self.admin_token, IMPORT_TIMEOUT, FIX_SETTINGS)
        if self.is_celery:
            self.check("broker", self.broker, NETWORK_TIMEOUT, FIX_BROKER)
            self.send(self.worker())

    def check_database(self) -> None:
        """Check the database and, if it answers, its schema."""
        if self.check("database", self.database, NETWORK_TIMEOUT, FIX_DATABASE):
            remedy = "Check the files in migrations/versions/"
            self.check("migrations", self.migrations, NETWORK_TIMEOUT, remedy)

    def check(
        self, name: str, check: Callable[[], Finding], timeout: float, remedy: str
    ) -> bool:
        """Run one check within a time limit, and tell whether all is well."""
        self.send({"started": name})
        results = [fail(name, f"no answer within {timeout:g} s", remedy)]

        def run() -> None:
            try:
                results.append(check())
            except BaseException as error:  # noqa: BLE001  # the project may raise any
                results.append(fail(name, self.describe(error), remedy))

        thread = Thread(target=run, daemon=True)
        thread.start()
        thread.join(timeout)
        self.send(results[-1])
        return results[-1]["state"] == "ok"

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

    def settings(self) -> Finding:
        """Load the settings of the application and of the runtime."""
        self.module("settings")
        return ok("settings", f"valid; ENVIRONMENT is {runtime_settings().environment}")

    def backend(self) -> Finding:
        """Import `background.py`, which connects the backend with the application."""
        return ok("background", f"pattern {self.background.backend.name}")

    def tasks(self) -> Finding:
        """Import the tasks as a worker does, then the API, and compare them."""
        known: dict[str, Any] = import_module("afterward.tasks").TASKS
        self.background.domains.import_tasks()
        known_to_worker = set(known)
        self.module("main")
        for task in known.values():
            if unsupported := task.options.keys() - self.background.backend.supports:
                return self.unsupported(task, sorted(unsupported))
        missing = sorted(known.keys() - known_to_worker)
        if missing and self.is_celery:
            detail = f"the worker does not know: {', '.join(missing)}"
            return fail("tasks", detail, "Declare them in tasks.py or tasks/*.py")
        return ok("tasks", f"{len(known)} registered")

    def unsupported(self, task: Any, options: list[str]) -> Finding:
        """Return that the backend lacks options of a task."""
        code = task.func.__code__
        place = format_place(code.co_filename, code.co_firstlineno)
        backend = self.background.backend.name
        detail = f"{place}: pattern {backend} does not support {', '.join(options)}"
        pattern = "celery" if "queue" in options else "safe"
        return fail("tasks", detail, f"Remove it, or run: bgscaffold promote {pattern}")

    def dotenv(self) -> Finding:
        """Find names in `.env` that are almost those of settings."""
        file = Path(".env")
        if not file.is_file():  # a pipe would be emptied
            return ok(".env", "not a file" if file.exists() else "none")
        given = import_module("dotenv").dotenv_values(file, interpolate=False)
        known = setting_names()
        names = [name for name in given if name.upper() not in known]
        similar = {name: similar_setting(name, known) for name in names}
        misspelt = {
            name: setting
            for name, setting in similar.items()
            if setting and not self.mentions(name)
        }
        if misspelt:
            detail = f"no setting has the name {', '.join(misspelt)}"
            settings = ", ".join(dict.fromkeys(misspelt.values()))
            return warn(".env", detail, f"Did you mean {settings}?")
        return ok(".env", f"{len(given)} settings")

    def mentions(self, name: str) -> bool:
        """Tell whether the application's own code contains a name."""
        word = re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)
        files = [file for file in self.package.rglob("*.py") if file.is_file()]
        return any(word.search(file.read_text("utf-8", "replace")) for file in files)

    def admin_token(self) -> Finding:
        """Check that administrators can use the API in production."""
        settings = runtime_settings()
        if settings.environment == "production" and settings.admin_token is None:
            detail = "ADMIN_TOKEN is not set, so nobody can list, retry or cancel tasks"
            return warn("admin token", detail, "Set ADMIN_TOKEN to a random value")
        return ok("admin token", "set" if settings.admin_token else "not needed here")

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

    def database(self) -> Finding:
        """Connect to the database, and create nothing."""
        file = self.sqlite_file
        if file and not file.exists():
            return missing_file(file)
        with self.engine().connect() as connection:
            # SQLite reads the file at the first statement about its content.
            statement = "PRAGMA schema_version" if file else "SELECT 1"
            connection.exec_driver_sql(statement)
        return ok("database", self.url.render_as_string(hide_password=True))

    def engine(self) -> Any:
        """Return an engine that writes nothing and does not wait long."""
        sa = import_module("sqlalchemy")
        if file := self.sqlite_file:
            path = quote(str(file.absolute()))
            url = f"sqlite+pysqlite:///file:{path}?mode=ro&uri=true"
            options = {"timeout": CONNECT_TIMEOUT}
            return sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
        options = {"connect_timeout": CONNECT_TIMEOUT}
        return sa.create_engine(self.url, poolclass=sa.NullPool, connect_args=options)

    def migrations(self) -> Finding:
        """Compare the schema of the database with the one that the code needs."""
        needed, known = self.revisions()
        if self.sqlite_file and not self.sqlite_file.exists():
            detail = f"{listed(needed)}; the first start applies them"
            return ok("migrations", detail)
        context = import_module("alembic.runtime.migration").MigrationContext
        with self.engine().connect() as connection:
            present = set(context.configure(connection).get_current_heads())
            if present == needed:
                return self.schema(connection, needed)
        return self.outdated(present, needed, known)

    def revisions(self) -> tuple[set[str], set[str]]:
        """Return the newest revisions of the code, and all of them."""
        config = import_module("alembic.config").Config()
        config.set_main_option("script_location", f"{self.package.name}:migrations")
        config.set_main_option("path_separator", "os")
        directory = import_module("alembic.script").ScriptDirectory
        scripts = directory.from_config(config)
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
            return fail("migrations", f"{detail}, which this code lacks", remedy)
        detail += f", and the code needs {listed(needed)}"
        if self.sqlite_file:
            detail += "; the next start applies it"
            return warn("migrations", detail, MIGRATE)
        return fail("migrations", detail, MIGRATE)

    def schema(self, connection: Any, revisions: set[str]) -> Finding:
        """Check the version of the outbox's schema, which a migration brings."""
        migrations = import_module("afterward.outbox.migrations")
        needed = len(migrations.STEPS)
        table = migrations.VERSION_TABLE
        version = connection.exec_driver_sql(f"SELECT version FROM {table}").scalar()
        if version != needed:
            detail = f"the outbox has schema {version}, and the code needs {needed}"
            remedy = f"Run: uv run python -m afterward migration. Then {MIGRATE}"
            return fail("migrations", detail, remedy)
        return ok("migrations", f"current ({listed(revisions)})")

    # ---- Celery ----------------------------------------------------------------------

    def broker(self) -> Finding:
        """Connect to the broker once."""
        settings = runtime_settings()
        settings.require_production_broker()
        if settings.uses_embedded_broker:
            return ok("broker", "embedded, for development")
        app = self.background.backend.app
        with app.connection_for_write(connect_timeout=CONNECT_TIMEOUT) as connection:
            connection.ensure_connection(
                max_retries=1, interval_start=0, timeout=CONNECT_TIMEOUT
            )
            connection.default_channel.close()
            return ok("broker", connection.as_uri())

    def worker(self) -> Finding:
        """Name the workers that have shown a sign of life in this folder."""
        alive = sorted(
            file.stem
            for file in Path("var").glob("*.alive")
            if time.time() - file.stat().st_mtime <= WORKER_TIMEOUT
        )
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
        if isinstance(error, OSError) or hasattr(error, "orig") or is_explained(error):
            return ""
        places = list(frames(error))
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno or 0))
        folder = f"{self.package.absolute()}{os.sep}"
        own = [place for place in places if place[0].startswith(folder)]
        return format_place(*own[-1]) if own else ""


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
    try:
        text = Path("pyproject.toml").read_text(encoding="utf-8")
        dependencies = tomllib.loads(text)["project"]["dependencies"]
    except (OSError, ValueError, KeyError) as error:
        detail = f"pyproject.toml: {type(error).__name__}: {error}"
        return fail("packages", detail, "Fix pyproject.toml")
    names = [re.match(r"[\w.-]+", line) for line in dependencies if ";" not in line]
    missing = [name[0] for name in names if name and not version(name[0])]
    if missing:
        return fail("packages", f"not installed: {', '.join(missing)}", "Run: uv sync")
    return ok("packages", f"{len(names)} installed")


def runtime_settings() -> Any:
    """Return the settings of the runtime."""
    return import_module("afterward.settings").get_settings()


def setting_names() -> set[str]:
    """Return the variables that the imported settings are read from."""
    names = set()
    for settings in subclasses(import_module("pydantic_settings").BaseSettings):
        prefix = settings.model_config.get("env_prefix", "")
        names |= {f"{prefix}{name}".upper() for name in settings.model_fields}
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
    settings = [each for each in sorted(known) if each.count("_") >= name.count("_")]
    matches = difflib.get_close_matches(name.upper(), settings, 1, SIMILARITY)
    return matches[0] if matches else ""


def missing_file(file: Path) -> Finding:
    """Return what a SQLite file means that does not exist."""
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        remedy = "Allow the user of the application to write there"
        return fail("database", f"{folder} is not writable", remedy)
    return ok("database", f"{file}, which the first start creates")


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
    """Tell whether the message of an error says what to correct."""
    return type(error).__name__ == "StartupError" or bool(invalid_settings(error))


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
    with suppress(AttributeError, TypeError, KeyError):
        errors = error.errors(include_url=False, include_input=False)
        return "; ".join(
            f"{'.'.join(map(str, each['loc'])).upper()}: "
            + each["msg"].removeprefix("Value error, ")
            for each in errors
        )
    return ""


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
